//! What was decided: triggers accepted and cancelled, bundles made, runs ended, ticks and requests
//! that came to nothing.

use marquetry_model::{
    DecisionKind, DecisionNote, Mode, Phase, Run, Source, Stop, Timestamp, Trigger, TriggerId,
};
use marquetry_store::run_views::RunView;
use marquetry_store::triggers::TriggerHead;

use super::{Facts, Sentence, duration, number};
use crate::schedules::MOST_MISSED;

/// Waits below this are not worth a word, in milliseconds.
const SHORT: i64 = 1_000;

/// What happened; with `asked`, only to this trigger.
pub(super) fn sentences(facts: &Facts, asked: Option<&Trigger>) -> Vec<Sentence> {
    let mut all = Vec::new();
    for (at, view) in facts.runs.iter().enumerate() {
        if asked.is_some_and(|trigger| trigger.run_id != Some(view.run.id)) {
            continue;
        }
        let before = facts.runs.get(at + 1).map(|view| &view.run);
        all.extend(ended(&view.run));
        all.push(made(facts, view));
        let wanted = |head: &&TriggerHead| asked.is_none_or(|trigger| trigger.id == head.id);
        let heads = view.triggers.iter().rev().filter(wanted);
        all.extend(heads.map(|head| taken(facts, head, &view.run, before)));
    }
    match asked {
        Some(trigger) => {
            let at = trigger.cancelled_at;
            all.extend(at.map(|at| cancelled(trigger.id, at)));
        }
        None => {
            all.extend(facts.cancelled.iter().map(|(id, at)| cancelled(*id, *at)));
            all.extend(facts.notes.iter().map(|it| note(facts, it)));
        }
    }
    let waits = |trigger: &&Trigger| trigger.run_id.is_none();
    if let Some(trigger) = asked.filter(waits) {
        all.push(accepted(
            trigger.id,
            trigger.source,
            trigger.mode,
            trigger.created_at,
        ));
    } else if asked.is_none() {
        let waiting = facts.waiting.iter().rev();
        all.extend(waiting.map(|one| accepted(one.id, one.source, one.mode, one.created_at)));
    }
    all
}

fn accepted(id: TriggerId, source: Source, mode: Mode, at: Timestamp) -> Sentence {
    Sentence {
        at,
        text: format!("trigger {id} ({source}, {mode}) was accepted"),
        trigger_id: Some(id),
        run_id: None,
    }
}

/// A trigger that a run took, with what it waited for.
fn taken(facts: &Facts, head: &TriggerHead, run: &Run, before: Option<&Run>) -> Sentence {
    let mut sentence = accepted(head.id, head.source, head.mode, head.created_at);
    sentence.run_id = Some(run.id);
    let waited = millis(head.created_at, run.created_at);
    if waited < SHORT {
        return sentence;
    }
    let busy = before.and_then(|before| {
        let end = before.completed_at.filter(|end| *end > head.created_at)?;
        Some((before.id, end))
    });
    let more = match busy {
        Some((id, end)) if millis(end, run.created_at) < SHORT => {
            format!("run {id} of the tenant was live until {end}")
        }
        Some((id, end)) => format!(
            "run {id} of the tenant was live until {end}, and then {} for {}",
            duration(millis(end, run.created_at)),
            what_else(facts)
        ),
        None => format!("for {}", what_else(facts)),
    };
    let held = held(facts, head.created_at, run.created_at);
    let held = held.map_or_else(String::new, |why| format!("; meanwhile it was held: {why}"));
    sentence.text = format!(
        "{}; it waited {}: {more}{held}",
        sentence.text,
        duration(waited)
    );
    sentence
}

/// What held a tenant's triggers at some instant in between, as it was noted.
fn held(facts: &Facts, from: Timestamp, to: Timestamp) -> Option<&'static str> {
    let notes = facts.notes.iter();
    let mut meanwhile = notes.filter(|note| note.last_at >= from && note.first_at <= to);
    meanwhile.find_map(|note| match note.kind {
        DecisionKind::HeldPaused => Some("the integration was paused"),
        DecisionKind::HeldTenantPaused => Some("the tenant was paused"),
        DecisionKind::HeldNoRelease => {
            Some("the integration had no release that the tenant could run")
        }
        DecisionKind::TickPaused
        | DecisionKind::TickNoRelease
        | DecisionKind::TickFull
        | DecisionKind::TicksLate
        | DecisionKind::TicksSkipped
        | DecisionKind::RefusedPaused
        | DecisionKind::RefusedNoRelease
        | DecisionKind::RefusedFull
        | DecisionKind::Paused
        | DecisionKind::Resumed => None,
    })
}

fn what_else(facts: &Facts) -> String {
    match facts.integration.debounce_ms {
        0 if facts.integration.concurrency_limit.is_some() => {
            "its turn, the integration's concurrency_limit and a place on a node".to_owned()
        }
        0 => "its turn and a place on a node".to_owned(),
        debounce => format!("others (debounce_ms {debounce}), its turn and a place on a node"),
    }
}

/// The run that a bundle became, and why the bundle ends where it does.
fn made(facts: &Facts, view: &RunView) -> Sentence {
    let run = &view.run;
    let ids: Vec<_> = view.triggers.iter().map(|head| head.id).collect();
    let took = match ids[..] {
        [] => "no trigger that is still known".to_owned(),
        [one] => format!("trigger {one}"),
        [first, .., last] => format!("{} ({first} to {last})", number(ids.len(), "trigger")),
    };
    let again = run
        .rerun_of
        .map_or_else(String::new, |first| format!(" to repeat run {first}"));
    let is_cron = view
        .triggers
        .first()
        .is_some_and(|head| head.source == Source::Cron);
    let stop = match facts
        .stops
        .get(&run.id)
        .copied()
        .unwrap_or(Stop::QueueEmpty)
    {
        Stop::QueueEmpty if is_cron => "no other tick waited".to_owned(),
        Stop::QueueEmpty => "nothing else waited".to_owned(),
        Stop::ModeChange { at } => {
            format!("it ends before trigger {at}, because init is not mixed with another mode")
        }
        Stop::Rerun { at } => format!("it ends before trigger {at}, because a rerun is made alone"),
        Stop::Full { at } => {
            format!("it has as many as one run takes, and trigger {at} begins the next one")
        }
    };
    Sentence {
        at: run.created_at,
        text: format!(
            "run {} took {took} in mode {}{again}; {stop}",
            run.id, run.mode
        ),
        trigger_id: ids.first().copied(),
        run_id: Some(run.id),
    }
}

fn ended(run: &Run) -> Option<Sentence> {
    let at = run.completed_at?;
    let after = run.started_at.map_or_else(String::new, |start| {
        format!(" after {}", duration(millis(start, at)))
    });
    let why = match &run.message {
        Some(message) if run.phase != Phase::Succeeded => format!(": {message}"),
        _ => String::new(),
    };
    Some(Sentence {
        at,
        text: format!("run {} ended as {}{after}{why}", run.id, run.phase),
        trigger_id: None,
        run_id: Some(run.id),
    })
}

fn cancelled(id: TriggerId, at: Timestamp) -> Sentence {
    Sentence {
        at,
        text: format!("trigger {id} was cancelled before a run took it"),
        trigger_id: Some(id),
        run_id: None,
    }
}

fn note(facts: &Facts, note: &DecisionNote) -> Sentence {
    const NO_RELEASE: &str = "the integration has no release that the tenant could run";
    let count = usize::try_from(note.count).unwrap_or(0);
    let many = |what: &str, done: &str, why: &str| {
        let verb = if count == 1 { "was" } else { "were" };
        let since = since(note);
        let is_counted = matches!(
            note.kind,
            DecisionKind::TicksLate | DecisionKind::TicksSkipped
        );
        let least = if is_counted && note.count >= MOST_MISSED {
            "at least "
        } else {
            ""
        };
        format!("{least}{} {verb} {done}{since}: {why}", number(count, what))
    };
    let passed = |why| many("tick", "passed over", why);
    let refused = |why| many("request", "refused", why);
    let text = match note.kind {
        DecisionKind::TickPaused => passed("the integration is paused"),
        DecisionKind::TickNoRelease => passed(NO_RELEASE),
        DecisionKind::TickFull => passed("too many triggers wait already"),
        DecisionKind::TicksLate => many(
            "tick",
            "missed while no server looked",
            "the schedule is due once for all of them (missed: once)",
        ),
        DecisionKind::TicksSkipped => many(
            "tick",
            "missed while no server looked",
            "skipped (missed: skip)",
        ),
        DecisionKind::RefusedPaused => refused("the integration is paused"),
        DecisionKind::RefusedNoRelease => refused(NO_RELEASE),
        DecisionKind::RefusedFull => refused("too many triggers wait already"),
        DecisionKind::HeldTenantPaused => "what waits was held: the tenant is paused".to_owned(),
        DecisionKind::HeldPaused => "what waits was held: the integration is paused".to_owned(),
        DecisionKind::HeldNoRelease => format!("what waits was held: {NO_RELEASE}"),
        DecisionKind::Paused => {
            with_schedule(facts, "the tenant was paused", "its schedule stood still")
        }
        DecisionKind::Resumed => with_schedule(
            facts,
            "the tenant was resumed",
            "its schedule goes on; ticks while it was paused were passed over",
        ),
    };
    Sentence {
        at: note.last_at,
        text,
        trigger_id: None,
        run_id: None,
    }
}

/// What happened, and what that means for the schedule of a tenant that has one.
fn with_schedule(facts: &Facts, what: &str, so: &str) -> String {
    match facts.tenant.schedule {
        Some(_) => format!("{what}: {so}"),
        None => what.to_owned(),
    }
}

/// From when on, where it was not at one instant.
fn since(note: &DecisionNote) -> String {
    if note.first_at < note.last_at {
        format!(" (since {})", note.first_at)
    } else {
        String::new()
    }
}

fn millis(from: Timestamp, to: Timestamp) -> i64 {
    to.as_millis().saturating_sub(from.as_millis()).max(0)
}
