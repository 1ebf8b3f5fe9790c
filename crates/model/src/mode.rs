//! How a run shall behave and where its triggers came from.

use crate::words::words;

words! {
    /// How a run shall behave (`PAN_CTX_RUN_MODE`; the API's `mode` takes the first two).
    Mode {
        /// Fills the options of the settings form.
        Init = "init",
        /// The ordinary sync.
        Normal = "normal",
        /// Triggers with a payload that came by webhook.
        Webhook = "webhook",
    }
}

words! {
    /// Where a trigger came from.
    Source {
        /// The tenant's schedule.
        Cron = "cron",
        /// A button.
        Manual = "manual",
        /// A call from a connected system.
        Webhook = "webhook",
        /// The API.
        Api = "api",
    }
}

words! {
    /// How a tenant came to be.
    TenantSource {
        /// `POST /v2/tenants`.
        Api = "api",
        /// An operator in the Hub.
        Hub = "hub",
        /// A customer in the marketplace.
        Marketplace = "marketplace",
        /// The install-only page.
        InstallOnly = "install_only",
        /// The connect-only page.
        AuthOnly = "auth_only",
        /// An external marketplace.
        ExternalMarketplace = "external_marketplace",
        /// The command line.
        Cli = "cli",
    }
}
