//! The tokens of a provider: who descends from which consent, and what is still good.

use std::collections::HashMap;
use std::time::Duration;

use super::answer::Refusal;
use super::behaviour::{Behaviour, RefreshTokens};
use super::credentials::secret;
use super::records::Counters;

/// All tokens that descend from one consent.
#[derive(Clone)]
pub(super) struct Family {
    pub(super) grant: String,
    pub(super) account: String,
    pub(super) scope: Option<String>,
    is_revoked: bool,
}

struct Access {
    family: usize,
    ends_at: i64,
    is_revoked: bool,
}

struct Refresh {
    family: usize,
    ends_at: i64,
    is_spent: bool,
}

/// What goes to a client.
pub(super) struct Issued {
    pub(super) access: String,
    pub(super) refresh: Option<String>,
    pub(super) scope: Option<String>,
    pub(super) lifetime: Duration,
}

/// Every token that was ever issued.
#[derive(Default)]
pub(super) struct Tokens {
    pub(super) marker: String,
    pub(super) counters: Counters,
    families: Vec<Family>,
    access: HashMap<String, Access>,
    refresh: HashMap<String, Refresh>,
}

impl Tokens {
    /// None yet; each will begin with the marker.
    pub(super) fn new(marker: &str) -> Self {
        Self {
            marker: marker.to_owned(),
            ..Self::default()
        }
    }

    /// Begins a family; answers its number.
    pub(super) fn found(&mut self, grant: &str, account: &str, scope: Option<String>) -> usize {
        self.families.push(Family {
            grant: grant.to_owned(),
            account: account.to_owned(),
            scope,
            is_revoked: false,
        });
        self.families.len() - 1
    }

    /// The first tokens of a family; a client that acts for itself gets no refresh token.
    pub(super) fn issue(
        &mut self,
        family: usize,
        behaviour: &Behaviour,
        may_refresh: bool,
        now: i64,
    ) -> Issued {
        let has_refresh = may_refresh && behaviour.refresh_tokens != RefreshTokens::Never;
        let refresh = has_refresh.then(|| self.new_refresh(family, behaviour, now));
        self.new_access(family, behaviour, refresh, now)
    }

    /// Takes a refresh token for new tokens. One that is spent ends its family: somebody has stolen it,
    /// or a client has asked twice.
    pub(super) fn refresh(
        &mut self,
        token: &str,
        scope: Option<&str>,
        behaviour: &Behaviour,
        now: i64,
    ) -> Result<Issued, Refusal> {
        let refused = |description| Err(Refusal::new("invalid_grant", description));
        let Some(found) = self.refresh.get_mut(token) else {
            return refused("the refresh token is not known");
        };
        let family = found.family;
        if found.is_spent {
            self.counters.refresh_tokens_reused += 1;
            self.families[family].is_revoked = true;
            return refused("the refresh token was used before");
        }
        if self.families[family].is_revoked {
            return refused("the refresh token is revoked");
        }
        if found.ends_at <= now {
            return refused("the refresh token has expired");
        }
        if !is_within(scope, self.families[family].scope.as_deref()) {
            let description = "the scope is wider than the consent";
            return Err(Refusal::new("invalid_scope", description));
        }
        let rotates = behaviour.refresh_tokens == RefreshTokens::Rotating;
        found.is_spent = rotates;
        self.counters.refreshes += 1;
        let refresh = match behaviour.refresh_tokens {
            RefreshTokens::Rotating => Some(self.new_refresh(family, behaviour, now)),
            RefreshTokens::Repeated => Some(token.to_owned()),
            RefreshTokens::Silent | RefreshTokens::Never => None,
        };
        Ok(self.new_access(family, behaviour, refresh, now))
    }

    fn new_refresh(&mut self, family: usize, behaviour: &Behaviour, now: i64) -> String {
        let token = secret(&self.marker, "refresh");
        let refresh = Refresh {
            family,
            ends_at: later(now, behaviour.refresh_lifetime),
            is_spent: false,
        };
        self.refresh.insert(token.clone(), refresh);
        token
    }

    fn new_access(
        &mut self,
        family: usize,
        behaviour: &Behaviour,
        refresh: Option<String>,
        now: i64,
    ) -> Issued {
        let token = secret(&self.marker, "access");
        let access = Access {
            family,
            ends_at: later(now, behaviour.token_lifetime),
            is_revoked: false,
        };
        self.access.insert(token.clone(), access);
        self.counters.tokens += 1;
        Issued {
            access: token,
            refresh,
            scope: self.families[family].scope.clone(),
            lifetime: behaviour.token_lifetime,
        }
    }

    /// The family of an access token that is good, or why it is not.
    pub(super) fn check(&self, token: &str, now: i64) -> Result<&Family, &'static str> {
        let access = self.access.get(token);
        let access = access.ok_or("the access token is not known")?;
        let family = &self.families[access.family];
        if access.is_revoked || family.is_revoked {
            return Err("the access token is revoked");
        }
        if access.ends_at <= now {
            return Err("the access token has expired");
        }
        Ok(family)
    }

    /// Whether a refresh would work with this token.
    pub(super) fn can_refresh(&self, token: &str, now: i64) -> bool {
        self.refresh.get(token).is_some_and(|found| {
            !found.is_spent && found.ends_at > now && !self.families[found.family].is_revoked
        })
    }

    /// A client gives a token back. With a refresh token its whole family ends.
    pub(super) fn revoke(&mut self, token: &str) {
        if let Some(access) = self.access.get_mut(token) {
            access.is_revoked = true;
        } else if let Some(refresh) = self.refresh.get(token) {
            self.families[refresh.family].is_revoked = true;
        } else {
            return;
        }
        self.counters.revoked += 1;
    }

    pub(super) fn end_family(&mut self, family: usize) {
        self.families[family].is_revoked = true;
    }

    pub(super) fn end_all_families(&mut self) {
        for family in &mut self.families {
            family.is_revoked = true;
        }
    }

    pub(super) fn expire_all_access(&mut self, now: i64) {
        for access in self.access.values_mut() {
            access.ends_at = access.ends_at.min(now);
        }
    }

    /// Every token, good or not.
    pub(super) fn texts(&self) -> impl Iterator<Item = &String> {
        self.access.keys().chain(self.refresh.keys())
    }
}

/// A time in milliseconds that is so much later.
pub(super) fn later(now: i64, by: Duration) -> i64 {
    now.saturating_add(i64::try_from(by.as_millis()).unwrap_or(i64::MAX))
}

fn is_within(asked: Option<&str>, given: Option<&str>) -> bool {
    let given: Vec<_> = given.unwrap_or_default().split(' ').collect();
    let mut asked = asked.unwrap_or_default().split_whitespace();
    asked.all(|scope| given.contains(&scope))
}
