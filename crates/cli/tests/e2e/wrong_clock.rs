//! A server whose machine has the wrong time, which nobody else's need to have.

#![expect(
    clippy::disallowed_methods,
    reason = "the compiler is started by the test, not by the product"
)]

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;

use marquetry_testkit::{Database, ServerOptions};

/// Loaded before the C library: adds as many seconds to the time of day as stand in a file.
const SOURCE: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t id, struct timespec *into) {
    int (*real)(clockid_t, struct timespec *) = dlsym(RTLD_NEXT, "clock_gettime");
    int answer = real(id, into);
    if (answer == 0 && id == CLOCK_REALTIME) {
        char text[32] = {0};
        int file = open(getenv("WRONG_CLOCK"), O_RDONLY | O_CLOEXEC);
        if (file >= 0) {
            if (read(file, text, sizeof text - 1) > 0) into->tv_sec += atol(text);
            close(file);
        }
    }
    return answer;
}
"#;

/// How wrong the clock is, which may be changed while the server runs.
pub(crate) struct WrongClock {
    folder: tempfile::TempDir,
}

impl WrongClock {
    /// A clock that is so many seconds ahead.
    pub(crate) fn new(seconds: i64) -> Self {
        let clock = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        let (source, library) = (clock.path("clock.c"), clock.path("clock.so"));
        std::fs::write(&source, SOURCE).unwrap();
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-o"]).arg(&library);
        assert!(
            compiler
                .arg(&source)
                .arg("-ldl")
                .status()
                .unwrap()
                .success()
        );
        let program = format!(
            "#!/bin/sh\nLD_PRELOAD={} WRONG_CLOCK={} exec {} \"$@\"\n",
            library.display(),
            clock.path("seconds").display(),
            env!("CARGO_BIN_EXE_marquetry")
        );
        let script = clock.path("marquetry");
        std::fs::write(&script, program).unwrap();
        std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
        clock.set(seconds);
        clock
    }

    /// Makes it so many seconds ahead from now on.
    pub(crate) fn set(&self, seconds: i64) {
        // At once: a half-written number is another time.
        let new = self.path("new");
        std::fs::write(&new, seconds.to_string()).unwrap();
        std::fs::rename(new, self.path("seconds")).unwrap();
    }

    /// A server on PostgreSQL by this clock.
    pub(crate) fn options(&self) -> ServerOptions {
        let script = self.path("marquetry");
        ServerOptions::new(script.to_str().unwrap(), Database::Postgres)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}
