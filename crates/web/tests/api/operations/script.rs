//! The walk as it is written.

/// What a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Happy,
    Bad,
    WrongId,
}

/// One line of the walk.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Step {
    Request(Request),
    /// What a node does.
    Node(&'static str),
}

/// One request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Request {
    pub(crate) kind: Kind,
    pub(crate) operation: &'static str,
    pub(crate) method: &'static str,
    pub(crate) path: &'static str,
    pub(crate) body: &'static str,
}

/// All lines of the walk.
pub(crate) fn steps() -> Vec<Step> {
    let lines = include_str!("walk.txt").lines();
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(step).collect()
}

/// Its requests.
pub(crate) fn requests() -> impl Iterator<Item = Request> {
    steps().into_iter().filter_map(|step| match step {
        Step::Request(request) => Some(request),
        Step::Node(_) => None,
    })
}

fn step(line: &'static str) -> Step {
    if let Some(act) = line.strip_prefix("! ") {
        return Step::Node(act);
    }
    let mut parts = line.splitn(5, ' ');
    let mut next = || parts.next().unwrap_or_default();
    let kind = match next() {
        "happy" => Kind::Happy,
        "bad" => Kind::Bad,
        "wrong-id" => Kind::WrongId,
        other => panic!("{other}"),
    };
    Step::Request(Request {
        kind,
        operation: next(),
        method: next(),
        path: next(),
        body: next(),
    })
}
