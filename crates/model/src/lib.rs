//! Typed ids, domain values, state machines and the bundling rule.
//!
//! Invariant: pure. Nothing here is async, reads a clock, draws a random number or touches the
//! outside; everything that varies is an argument. The one exception is [`SystemClock`], which
//! exists so that there is exactly one place that asks the machine for the time.
#![warn(missing_docs)]

mod api_key;
mod build;
mod bundle;
mod chance;
mod clock;
mod connection;
mod decision;
mod error;
mod fair;
mod ids;
mod integration;
mod lanes;
mod mode;
mod names;
mod node;
mod page;
mod patch;
mod phase;
mod release;
mod rerun;
mod run;
mod schedule;
mod tenant;
mod time;
mod trigger;
mod words;

pub use api_key::{ApiKey, Scope, ScopeSet};
pub use build::{Build, BuildStatus, NewBuild};
pub use bundle::{Bundle, Decision, MAX_BUNDLE, Stop, bundle};
pub use chance::Chance;
pub use clock::{Clock, SharedClock, SimClock, SystemClock};
pub use connection::{ConnectAttempt, ConnectLink, Connection, ConnectionOf, ConnectionStatus};
pub use decision::{DecisionKind, DecisionNote};
pub use error::{Error, FieldError, Loc, Result};
pub use fair::{Turn, share};
pub use ids::{
    ApiKeyId, BuildId, ConnectionId, IntegrationId, NodeId, OutputId, RELEASE_KIND, ReleaseId,
    RunId, TenantId, TriggerId,
};
pub use integration::{
    Connector, Egress, Integration, IntegrationType, LocalRun, Missed, Randomization, Retry,
    ScheduleChoice,
};
pub use lanes::Lane;
pub use mode::{Mode, Source, TenantSource};
pub use names::{NameError, check_slug};
pub use node::{Node, NodeStatus, is_clock_wrong};
pub use page::{Direction, MAX_LIMIT, Page, PageRequest, Position, Sort, SortKey};
pub use patch::Patch;
pub use phase::Phase;
pub use release::{Channel, Release, ReleaseChoice};
pub use rerun::{Given, Rerun};
pub use run::{Outcome, Run, RunUsage};
pub use schedule::{Schedule, check_schedule, is_time_zone, randomize};
pub use tenant::{Tenant, TenantMetadata, TenantRuns};
pub use time::Timestamp;
pub use trigger::{Trigger, Waiting};
