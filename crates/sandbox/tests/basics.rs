//! Starting, streaming and ending.

mod common;

use common::{command, script, start};
use marquetry_sandbox::{Cause, Mode, Status};

#[tokio::test]
async fn exit_codes_and_output_arrive() {
    for mode in [Mode::Off, Mode::Full] {
        let fixture = start(mode, "codes").await;
        let outcome = fixture.run(script("echo out; echo err >&2; exit 7")).await;
        assert_eq!(
            outcome.ended.status,
            Status::Exited(7),
            "{outcome_stderr}",
            outcome_stderr = outcome.stderr
        );
        assert_eq!(outcome.ended.cause, Cause::Own);
        assert_eq!(outcome.stdout, "out\n");
        assert_eq!(outcome.stderr, "err\n");
        fixture.sandbox.shutdown().await;
    }
}
