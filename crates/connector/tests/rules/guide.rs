//! The examples of the guide are ones.

use marquetry_connector::read;
use serde_json::Value;

#[test]
fn each_example_of_the_guide_can_be_used() {
    let guide = include_str!("../../../../docs/connectors.md");
    let blocks = guide.split("```json\n").skip(1);
    let blocks = blocks.map(|it| it.split_once("```").unwrap().0);
    let mut whole = 0;
    for block in blocks {
        let json: Value = serde_json::from_str(block).unwrap();
        if json.get("name").is_some() {
            whole += 1;
            assert_eq!(read(block.as_bytes()).map(drop), Ok(()), "{block}");
        }
    }
    assert_eq!(whole, 3);
}
