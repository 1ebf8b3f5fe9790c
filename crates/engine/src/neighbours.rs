//! Hints between nodes that share a database: said together, and heeded as if they came from here.

use std::sync::Arc;
use std::time::Duration;

use marquetry_app::{App, Heard};
use marquetry_store::notices::announce;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// What happens meanwhile is said with it: each word lets all transactions that say something wait
/// for each other.
const TOGETHER: Duration = Duration::from_millis(20);
/// After a failure: the database may need a moment, and nodes look by themselves meanwhile.
const AFTER_FAILURE: Duration = Duration::from_secs(2);

/// The line to the other nodes, which every node has, whatever its roles.
pub struct Neighbours {
    tracker: TaskTracker,
    stop: CancellationToken,
}

impl Neighbours {
    /// Begins to say what happens here and to heed what others say. On SQLite there are none.
    pub fn start(app: &Arc<App>) -> Self {
        let tracker = TaskTracker::new();
        let stop = CancellationToken::new();
        if app.store.is_shared() {
            // First, or what happens until then is not noted for the others.
            app.hints.outbox();
            tracker.spawn(say_loop(Arc::clone(app), stop.clone()));
            tracker.spawn(hear_loop(Arc::clone(app), stop.clone()));
        }
        Self { tracker, stop }
    }

    /// Says what is left to say and ends.
    pub async fn shutdown(self) {
        self.stop.cancel();
        self.tracker.close();
        self.tracker.wait().await;
    }
}

async fn say_loop(app: Arc<App>, stop: CancellationToken) {
    let outbox = app.hints.outbox();
    loop {
        tokio::select! {
            () = outbox.filled() => {}
            () = stop.cancelled() => {}
        }
        tokio::time::sleep(TOGETHER).await;
        // A word that is lost is made up for by the others' next look.
        if let Some(word) = outbox.take()
            && let Err(error) = say(&app, &word).await
        {
            tracing::debug!(
                error = &error as &dyn std::error::Error,
                "other nodes could not be told"
            );
        }
        if stop.is_cancelled() {
            return;
        }
    }
}

async fn say(app: &App, word: &str) -> marquetry_store::Result<()> {
    let mut tx = app.store.read().await?;
    announce(&mut tx, word).await
}

/// Heeds what others say, and begins again when the connection is lost.
async fn hear_loop(app: Arc<App>, stop: CancellationToken) {
    loop {
        tokio::select! {
            error = hear(&app) => tracing::warn!(
                error = &error as &dyn std::error::Error,
                "other nodes are not heard; this one looks every 2 s meanwhile"
            ),
            () = stop.cancelled() => return,
        }
        app.hints.note_hearing(false);
        // Loops that rest for long rest no longer than they may from here on.
        app.hints.give_all_here();
        tokio::select! {
            () = tokio::time::sleep(AFTER_FAILURE) => {}
            () = stop.cancelled() => return,
        }
    }
}

/// Until the connection is lost.
async fn hear(app: &App) -> marquetry_store::Error {
    let mut notices = match app.store.listen().await {
        Ok(Some(notices)) => notices,
        Ok(None) => std::future::pending().await,
        Err(error) => return error,
    };
    app.hints.note_hearing(true);
    // What was said before is lost.
    app.hints.give_all_here();
    loop {
        match notices.next().await {
            Ok(word) => heed(app, &word),
            Err(error) => return error,
        }
    }
}

fn heed(app: &App, word: &str) {
    match app.hints.outbox().hear(word) {
        Heard::Topics(topics) => {
            for topic in topics {
                app.hints.give_here(topic);
            }
        }
        Heard::Anything => app.hints.give_all_here(),
        Heard::Own => {}
    }
}
