//! Hints on their way to other nodes, as words: many become one.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use marquetry_model::{BuildId, TenantId};
use tokio::sync::Notify;

use crate::hints::Topic;
use crate::random;

/// So many topics are named; more of them are "anything".
const MOST: usize = 300;

/// What other nodes were not told yet.
#[derive(Debug)]
pub struct Outbox {
    /// Who says it, so that nobody heeds its own words.
    sender: String,
    waiting: Mutex<HashSet<Topic>>,
    filled: Notify,
}

/// What a word of another node says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// Something about these.
    Topics(Vec<Topic>),
    /// Anything may have happened.
    Anything,
    /// It was said here.
    Own,
}

impl Default for Outbox {
    fn default() -> Self {
        Self {
            sender: random::hex(&random::bytes::<8>()),
            waiting: Mutex::default(),
            filled: Notify::new(),
        }
    }
}

impl Outbox {
    pub(crate) fn put(&self, topic: Topic) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() <= MOST {
            waiting.insert(topic);
        }
        drop(waiting);
        self.filled.notify_one();
    }

    /// Waits until there is something to say.
    pub async fn filled(&self) {
        self.filled.notified().await;
    }

    /// What there is to say, in one word; nothing more is waiting then.
    pub fn take(&self) -> Option<String> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let topics = std::mem::take(&mut *waiting);
        drop(waiting);
        if topics.is_empty() {
            return None;
        }
        let said = if topics.len() > MOST {
            "*".to_owned()
        } else {
            topics.into_iter().map(word).collect::<Vec<_>>().join(" ")
        };
        Some(format!("{} {said}", self.sender))
    }

    /// What a word says. One that cannot be read, of a newer version perhaps, may mean anything.
    pub fn hear(&self, text: &str) -> Heard {
        let Some((sender, said)) = text.split_once(' ') else {
            return Heard::Anything;
        };
        if sender == self.sender {
            return Heard::Own;
        }
        let topics: Option<Vec<_>> = said.split(' ').map(topic).collect();
        topics.map_or(Heard::Anything, Heard::Topics)
    }
}

fn word(topic: Topic) -> String {
    match topic {
        Topic::Dispatch => "dispatch".to_owned(),
        Topic::Schedules => "schedules".to_owned(),
        Topic::Polls => "polls".to_owned(),
        Topic::Secrets => "secrets".to_owned(),
        Topic::Connections => "connections".to_owned(),
        Topic::Builds => "builds".to_owned(),
        Topic::Cancel => "cancel".to_owned(),
        Topic::BuildCancel(id) => format!("x{id}"),
        Topic::Tenant(id) => format!("t{id}"),
        Topic::Build(id) => format!("b{id}"),
    }
}

fn topic(word: &str) -> Option<Topic> {
    Some(match word {
        "dispatch" => Topic::Dispatch,
        "schedules" => Topic::Schedules,
        "polls" => Topic::Polls,
        "secrets" => Topic::Secrets,
        "connections" => Topic::Connections,
        "builds" => Topic::Builds,
        "cancel" => Topic::Cancel,
        _ => {
            let (kind, id) = word.split_at_checked(1)?;
            let id: i64 = id.parse().ok()?;
            match kind {
                "x" => Topic::BuildCancel(BuildId::new(id)),
                "t" => Topic::Tenant(TenantId::new(id)),
                "b" => Topic::Build(BuildId::new(id)),
                _ => return None,
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_says_another_hears() {
        let (one, other) = (Outbox::default(), Outbox::default());
        assert_eq!(one.take(), None);
        let all = [
            Topic::Dispatch,
            Topic::Schedules,
            Topic::Polls,
            Topic::Secrets,
            Topic::Connections,
            Topic::Builds,
            Topic::Cancel,
            Topic::BuildCancel(BuildId::new(i64::MAX)),
            Topic::Tenant(TenantId::new(7)),
            Topic::Build(BuildId::new(7)),
        ];
        for topic in all {
            one.put(topic);
            one.put(topic);
        }
        let word = one.take().unwrap();
        assert_eq!(one.take(), None, "said once");
        assert_eq!(one.hear(&word), Heard::Own);
        let Heard::Topics(heard) = other.hear(&word) else {
            panic!("{word}")
        };
        assert_eq!(heard.len(), all.len());
        assert_eq!(
            heard.into_iter().collect::<HashSet<_>>(),
            all.into_iter().collect()
        );
    }

    #[test]
    fn too_much_is_anything_and_fits_a_notice() {
        let (one, other) = (Outbox::default(), Outbox::default());
        for n in 0..300 {
            one.put(Topic::Tenant(TenantId::new(i64::MAX - n)));
        }
        let longest = one.take().unwrap();
        assert!(longest.len() <= marquetry_store::notices::LONGEST);
        assert!(matches!(other.hear(&longest), Heard::Topics(_)));
        for n in 0..10_000 {
            one.put(Topic::Tenant(TenantId::new(n)));
        }
        assert_eq!(other.hear(&one.take().unwrap()), Heard::Anything);
        for odd in ["", "alone", "a b", "a t", "a txyz", "a é1", "a dispatch z9"] {
            assert_eq!(other.hear(odd), Heard::Anything, "{odd}");
        }
    }
}
