//! What of the sandbox this host offers.

/// Parts of the sandbox on this host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The parts, in the order in which they matter.
    pub parts: Vec<Part>,
}

/// One part of the sandbox on this host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Which.
    pub name: PartName,
    /// Whether it works here; it has really been tried.
    pub available: bool,
    /// Whether [`crate::Mode::Full`] needs it.
    pub required: bool,
    /// Which kind it is where it works, else what the system said.
    pub detail: String,
    /// What to do where it does not work.
    pub remedy: Option<&'static str>,
}

/// Names of the parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PartName {
    /// clone3 with pidfds, the way in which processes are started and ended.
    ProcessHandles,
    /// User namespaces, with users of their own where the server is root.
    UserNamespace,
    /// Mount namespaces and the mounting of a root file system.
    MountNamespace,
    /// PID, IPC, UTS and control group namespaces.
    ProcessNamespaces,
    /// Network namespaces.
    NetworkNamespace,
    /// Landlock.
    Landlock,
    /// System call filters.
    Seccomp,
    /// Control groups for memory and processes.
    ControlGroups,
}

impl PartName {
    /// All parts, in the order of a [`Report`].
    pub const ALL: [Self; 8] = [
        Self::ProcessHandles,
        Self::UserNamespace,
        Self::MountNamespace,
        Self::ProcessNamespaces,
        Self::NetworkNamespace,
        Self::Landlock,
        Self::Seccomp,
        Self::ControlGroups,
    ];

    /// The name to show.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ProcessHandles => "process handles",
            Self::UserNamespace => "user namespace",
            Self::MountNamespace => "mount namespace",
            Self::ProcessNamespaces => "process namespaces",
            Self::NetworkNamespace => "network namespace",
            Self::Landlock => "landlock",
            Self::Seccomp => "system call filter",
            Self::ControlGroups => "control groups",
        }
    }

    /// Whether the full sandbox needs it. Without control groups, limits of each process and a
    /// watch over memory take their place.
    pub(crate) fn required(self) -> bool {
        self != Self::ControlGroups
    }

    pub(crate) fn remedy(self) -> &'static str {
        match self {
            Self::ProcessHandles => "use a linux kernel of version 5.12 or newer",
            Self::UserNamespace => {
                "allow user namespaces: `sysctl user.max_user_namespaces=15000`; on ubuntu 23.10 \
                 and newer also `sysctl kernel.apparmor_restrict_unprivileged_userns=0` or an \
                 apparmor profile for the binary; in docker a seccomp profile that allows clone \
                 and unshare (`--security-opt seccomp=unconfined`)"
            }
            Self::MountNamespace => {
                "in docker start the container with `--security-opt seccomp=unconfined \
                 --security-opt apparmor=unconfined --security-opt systempaths=unconfined`"
            }
            Self::ProcessNamespaces | Self::NetworkNamespace => {
                "in docker start the container with `--security-opt seccomp=unconfined`; \
                 elsewhere raise the limits below /proc/sys/user"
            }
            Self::Landlock => {
                "use a linux kernel of version 5.13 or newer with landlock in its `lsm=` list"
            }
            Self::Seccomp => "use a kernel built with CONFIG_SECCOMP_FILTER",
            Self::ControlGroups => {
                "under systemd set `Delegate=yes` in the unit; as root make the memory and pids \
                 controllers writable"
            }
        }
    }
}

impl Report {
    /// Whether a part works here.
    pub fn has(&self, name: PartName) -> bool {
        self.parts
            .iter()
            .any(|part| part.name == name && part.available)
    }

    /// Whether every part that [`crate::Mode::Full`] needs works here.
    pub fn is_full(&self) -> bool {
        self.missing().next().is_none()
    }

    /// Parts that the full sandbox needs and that do not work here.
    pub fn missing(&self) -> impl Iterator<Item = &Part> {
        self.parts
            .iter()
            .filter(|part| part.required && !part.available)
    }

    /// Whether all namespaces work; they are used together or not at all.
    pub(crate) fn has_namespaces(&self) -> bool {
        [
            PartName::ProcessHandles,
            PartName::UserNamespace,
            PartName::MountNamespace,
            PartName::ProcessNamespaces,
            PartName::NetworkNamespace,
        ]
        .into_iter()
        .all(|name| self.has(name))
    }

    /// One line for errors: the missing parts and what the system said.
    pub(crate) fn missing_text(&self) -> String {
        let parts: Vec<_> = self
            .missing()
            .map(|part| format!("{} ({})", part.name.as_str(), part.detail))
            .collect();
        parts.join(", ")
    }
}

impl Part {
    pub(crate) fn new(name: PartName, tried: Result<String, String>) -> Self {
        let available = tried.is_ok();
        Self {
            name,
            available,
            required: name.required(),
            detail: tried.unwrap_or_else(|reason| reason),
            remedy: (!available).then(|| name.remedy()),
        }
    }
}
