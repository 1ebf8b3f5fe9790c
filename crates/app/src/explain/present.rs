//! What holds now: what waits and for what, and when the schedule is due.

use std::time::Duration;

use marquetry_model::{NodeStatus, Source, Timestamp, TriggerId, Waiting};

use super::{Facts, Sentence, number};

/// What holds now; with `about`, only why this trigger waits, if it does.
pub(super) fn sentences(facts: &Facts, about: Option<TriggerId>) -> Vec<Sentence> {
    let mut all = waiting(facts, about);
    if about.is_none() {
        if all.is_empty() {
            all.push(say(facts, idle(facts)));
        }
        all.push(say(facts, schedule(facts)));
    }
    all
}

fn say(facts: &Facts, text: String) -> Sentence {
    Sentence {
        at: facts.now,
        text,
        trigger_id: None,
        run_id: facts.state.current_run_id,
    }
}

fn idle(facts: &Facts) -> String {
    match facts.state.current_run_id {
        _ if facts.tenant.archived_at.is_some() => {
            "the tenant is archived: nothing of it runs any more".to_owned()
        }
        Some(run) => format!("run {run} is live and nothing waits for its end"),
        None => "nothing waits and nothing runs".to_owned(),
    }
}

/// One sentence for all that wait for the same reason, in order of arrival.
fn waiting(facts: &Facts, about: Option<TriggerId>) -> Vec<Sentence> {
    let mut groups: Vec<(String, Vec<TriggerId>)> = Vec::new();
    for one in &facts.waiting {
        let why = why(facts, one);
        match groups.iter_mut().find(|(known, _)| *known == why) {
            Some((_, ids)) => ids.push(one.id),
            None => groups.push((why, vec![one.id])),
        }
    }
    if let Some(about) = about {
        groups.retain_mut(|(_, ids)| {
            let is_here = ids.contains(&about);
            *ids = vec![about];
            is_here
        });
    }
    let groups = groups.into_iter();
    groups
        .map(|(why, ids)| {
            let text = match ids[..] {
                [one] => format!("trigger {one} waits: {why}"),
                _ => format!(
                    "{} wait ({} to {}): {why}",
                    number(ids.len(), "trigger"),
                    ids[0],
                    ids[ids.len() - 1]
                ),
            };
            Sentence {
                trigger_id: ids.first().copied(),
                ..say(facts, text)
            }
        })
        .collect()
}

/// Why one trigger is in no run yet: the first reason that dispatch would find.
fn why(facts: &Facts, trigger: &Waiting) -> String {
    let integration = &facts.integration;
    if let Some(run) = facts.state.current_run_id {
        return format!("run {run} of the tenant is live, and a tenant has one run at a time");
    }
    if integration.paused {
        return format!(
            "integration {} is paused; resume it with PATCH /v2/integrations/{}",
            integration.name, integration.id
        );
    }
    if facts.tenant.paused && matches!(trigger.source, Source::Cron | Source::Webhook) {
        return format!(
            "the tenant is paused, which holds what comes from schedules and webhooks; resume it with PATCH /v2/tenants/{}",
            facts.tenant.id
        );
    }
    if !facts.has_release {
        return format!(
            "integration {} has no release that the tenant could run; build one with POST /v2/sourcecontrol/build",
            integration.name
        );
    }
    if let Some(until) =
        window(facts).filter(|until| trigger.source != Source::Cron && facts.now < *until)
    {
        return format!(
            "until {until} for more that could run together (debounce_ms {})",
            integration.debounce_ms
        );
    }
    let limit = integration.concurrency_limit;
    if let Some(limit) = limit.filter(|limit| i64::try_from(facts.live).unwrap_or(0) >= *limit) {
        return format!(
            "integration {} has {} live, and its concurrency_limit is {limit}",
            integration.name,
            number(facts.live, "run")
        );
    }
    if let Some(why) = nobody(facts.runners.as_deref()) {
        return format!("for a node: {why}; see marquetry nodes");
    }
    "for a place on a node: integrations take turns, and within one every second place is for a \
     tenant that never ran; of its kind the tenant that fell due first comes first"
        .to_owned()
}

/// Why no node would execute it now, as far as nodes have told of themselves.
fn nobody(runners: Option<&[NodeStatus]>) -> Option<&'static str> {
    let nodes = runners?;
    if nodes.contains(&NodeStatus::Live) {
        None
    } else if nodes.is_empty() {
        Some("none executes runs")
    } else if nodes.contains(&NodeStatus::WrongClock) {
        Some("those that live and execute runs claim nothing, because their clocks are wrong")
    } else if nodes.contains(&NodeStatus::Draining) {
        Some("those that execute runs are ending")
    } else {
        Some("none that executes runs is alive")
    }
}

/// Until when an idle tenant waits for more: counted from the first trigger that may run.
fn window(facts: &Facts) -> Option<Timestamp> {
    let is_held = |source| facts.tenant.paused && source == Source::Webhook;
    let mut others = facts
        .waiting
        .iter()
        .filter(|one| one.source != Source::Cron);
    let first = others.find(|one| !is_held(one.source))?;
    let debounce = u64::try_from(facts.integration.debounce_ms).unwrap_or(0);
    Some(first.created_at.plus(Duration::from_millis(debounce)))
}

fn schedule(facts: &Facts) -> String {
    let tenant = &facts.tenant;
    let Some(schedule) = &tenant.schedule else {
        return "the tenant has no schedule".to_owned();
    };
    let zone = tenant.timezone.as_deref().unwrap_or("UTC");
    let schedule = format!("the schedule {schedule} ({zone})");
    if tenant.archived_at.is_some() {
        format!("{schedule} makes no ticks: the tenant is archived")
    } else if tenant.paused {
        format!("{schedule} makes no ticks: the tenant is paused")
    } else if facts.integration.paused {
        format!("{schedule} passes without runs: the integration is paused")
    } else if let Some(next) = facts.next_tick {
        format!("{schedule} is due next at {next}")
    } else {
        format!("{schedule} is never due again")
    }
}
