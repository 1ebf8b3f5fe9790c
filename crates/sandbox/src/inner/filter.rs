//! The system call filter: a deny-list, as a binary search over call numbers.
//!
//! A chain of comparisons would do as well when it runs, but installing a filter makes the kernel
//! walk it once for every call number there is.

use libc::sock_filter;

/// Address families that a child may open sockets of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sockets {
    /// Local, IPv4, IPv6 and route sockets.
    Internet,
    /// Local sockets only: for children that share the host's network but must not use it.
    LocalOnly,
}

/// Calls refused with EPERM.
#[rustfmt::skip]
const DENIED: &[libc::c_long] = &[
    // other processes
    libc::SYS_ptrace, libc::SYS_process_vm_readv, libc::SYS_process_vm_writev, libc::SYS_kcmp,
    libc::SYS_pidfd_getfd, libc::SYS_process_madvise, libc::SYS_move_pages, libc::SYS_migrate_pages,
    // mounts and namespaces
    libc::SYS_mount, libc::SYS_umount2, libc::SYS_pivot_root, libc::SYS_chroot, libc::SYS_fsopen,
    libc::SYS_fsconfig, libc::SYS_fsmount, libc::SYS_fspick, libc::SYS_move_mount,
    libc::SYS_open_tree, libc::SYS_mount_setattr, OPEN_TREE_ATTR, libc::SYS_unshare,
    libc::SYS_setns, libc::SYS_name_to_handle_at, libc::SYS_open_by_handle_at,
    libc::SYS_quotactl, libc::SYS_quotactl_fd, libc::SYS_fanotify_init,
    // large surfaces of the kernel
    libc::SYS_bpf, libc::SYS_perf_event_open, libc::SYS_userfaultfd, libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter, libc::SYS_io_uring_register, libc::SYS_keyctl, libc::SYS_add_key,
    libc::SYS_request_key, libc::SYS_lookup_dcookie, libc::SYS_nfsservctl, libc::SYS_vhangup,
    // the machine
    libc::SYS_kexec_load, libc::SYS_kexec_file_load, libc::SYS_init_module,
    libc::SYS_finit_module, libc::SYS_delete_module, libc::SYS_reboot, libc::SYS_swapon,
    libc::SYS_swapoff, libc::SYS_acct, libc::SYS_syslog, libc::SYS_settimeofday,
    libc::SYS_clock_settime, libc::SYS_clock_adjtime, libc::SYS_adjtimex, libc::SYS_sethostname,
    libc::SYS_setdomainname,
    #[cfg(target_arch = "x86_64")] libc::SYS_iopl,
    #[cfg(target_arch = "x86_64")] libc::SYS_ioperm,
    #[cfg(target_arch = "x86_64")] libc::SYS_modify_ldt,
    #[cfg(target_arch = "x86_64")] libc::SYS_uselib,
    #[cfg(target_arch = "x86_64")] libc::SYS_ustat,
    #[cfg(target_arch = "x86_64")] libc::SYS_sysfs,
];

/// Newer than the constants of the C library's crate.
const OPEN_TREE_ATTR: libc::c_long = 467;

#[cfg(target_arch = "x86_64")]
const ARCHITECTURE: u32 = 0xc000_003e;
#[cfg(target_arch = "aarch64")]
const ARCHITECTURE: u32 = 0xc000_00b7;

/// First number of the x32 calls, aliases of the ordinary ones.
const X32: u32 = 0x4000_0000;

const NAMESPACE_FLAGS: i32 = libc::CLONE_NEWUSER
    | libc::CLONE_NEWNS
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWCGROUP;

// Offsets in `struct seccomp_data`; the lower halves of arguments, little endian.
const NUMBER: u32 = 0;
const ARCH: u32 = 4;
const ARGUMENT: [u32; 3] = [16, 24, 32];

// Instructions of the classic packet filter.
const LOAD: u16 = 0x20;
const JUMP_EQUAL: u16 = 0x15;
const JUMP_AT_LEAST: u16 = 0x35;
const JUMP_ANY_BIT: u16 = 0x45;
const RETURN: u16 = 0x06;

const ALLOW: u32 = 0x7fff_0000;
const ERRNO: u32 = 0x0005_0000;

/// The program.
pub(crate) fn program(sockets: Sockets) -> Vec<sock_filter> {
    let mut leaves: Vec<(u32, Vec<sock_filter>)> = vec![(0, vec![allow()])];
    for (number, code) in rules(sockets) {
        leaves.push((number, code));
        leaves.push((number + 1, vec![allow()]));
    }
    leaves.push((X32, vec![refuse(libc::ENOSYS)]));
    // Two rules on neighbouring numbers leave an empty gap: the later entry wins.
    let mut distinct: Vec<(u32, Vec<sock_filter>)> = Vec::with_capacity(leaves.len());
    for leaf in leaves {
        if distinct.last().is_some_and(|last| last.0 == leaf.0) {
            distinct.pop();
        }
        distinct.push(leaf);
    }
    let mut program = vec![
        step(LOAD, ARCH, 0, 0),
        step(JUMP_EQUAL, ARCHITECTURE, 1, 0),
        refuse(libc::EPERM),
        step(LOAD, NUMBER, 0, 0),
    ];
    program.extend(tree(&distinct));
    program
}

/// Rules in the order of their call numbers.
fn rules(sockets: Sockets) -> Vec<(u32, Vec<sock_filter>)> {
    let number = |call: libc::c_long| u32::try_from(call).expect("call numbers are small");
    let mut rules: Vec<_> = DENIED
        .iter()
        .map(|call| (number(*call), vec![refuse(libc::EPERM)]))
        .collect();
    // Its flags are in memory where a filter cannot see them. The C library falls back to clone.
    rules.push((number(libc::SYS_clone3), vec![refuse(libc::ENOSYS)]));
    rules.push((
        number(libc::SYS_clone),
        vec![
            step(LOAD, ARGUMENT[0], 0, 0),
            step(JUMP_ANY_BIT, NAMESPACE_FLAGS.cast_unsigned(), 0, 1),
            refuse(libc::EPERM),
            allow(),
        ],
    ));
    rules.push((
        number(libc::SYS_ioctl),
        // Typing into a terminal on behalf of its user: TIOCSTI and TIOCLINUX.
        one_of(ARGUMENT[1], &[0x5412, 0x541c], refuse(libc::EPERM), allow()),
    ));
    rules.push((
        number(libc::SYS_personality),
        // Linux, 32 bits, old version numbers, both, and the question.
        one_of(
            ARGUMENT[0],
            &[0, 8, 0x2_0000, 0x2_0008, u32::MAX],
            allow(),
            refuse(libc::EPERM),
        ),
    ));
    rules.push((number(libc::SYS_socket), socket_rule(sockets)));
    rules.sort_by_key(|rule| rule.0);
    rules
}

fn socket_rule(sockets: Sockets) -> Vec<sock_filter> {
    let mut code = vec![step(LOAD, ARGUMENT[0], 0, 0)];
    let families: &[i32] = match sockets {
        Sockets::Internet => &[libc::AF_UNIX, libc::AF_INET, libc::AF_INET6],
        Sockets::LocalOnly => &[libc::AF_UNIX],
    };
    for family in families {
        code.push(step(JUMP_EQUAL, family.cast_unsigned(), 0, 1));
        code.push(allow());
    }
    // Of netlink, resolvers need the route protocol only.
    code.extend([
        step(JUMP_EQUAL, libc::AF_NETLINK.cast_unsigned(), 1, 0),
        refuse(libc::EAFNOSUPPORT),
        step(LOAD, ARGUMENT[2], 0, 0),
        step(JUMP_EQUAL, libc::NETLINK_ROUTE.cast_unsigned(), 0, 1),
        allow(),
        refuse(libc::EPROTONOSUPPORT),
    ]);
    code
}

/// `found` where the argument is one of the values, else `other`.
fn one_of(
    argument: u32,
    values: &[u32],
    found: sock_filter,
    other: sock_filter,
) -> Vec<sock_filter> {
    let mut code = vec![step(LOAD, argument, 0, 0)];
    for value in values {
        code.push(step(JUMP_EQUAL, *value, 0, 1));
        code.push(found);
    }
    code.push(other);
    code
}

/// A search tree over leaves that each begin at a call number and reach to the next.
fn tree(leaves: &[(u32, Vec<sock_filter>)]) -> Vec<sock_filter> {
    let [(_, only)] = leaves else {
        let (low, high) = leaves.split_at(leaves.len() / 2);
        let (low_code, high_code) = (tree(low), tree(high));
        let over_low = u8::try_from(low_code.len()).expect("half of the filter is short");
        let mut code = vec![step(JUMP_AT_LEAST, high[0].0, over_low, 0)];
        code.extend(low_code);
        code.extend(high_code);
        return code;
    };
    only.clone()
}

fn allow() -> sock_filter {
    step(RETURN, ALLOW, 0, 0)
}

fn refuse(errno: i32) -> sock_filter {
    step(RETURN, ERRNO | errno.cast_unsigned(), 0, 0)
}

fn step(code: u16, k: u32, jt: u8, jf: u8) -> sock_filter {
    sock_filter { code, jt, jf, k }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs the program as the kernel would.
    fn run(program: &[sock_filter], arch: u32, number: u32, arguments: [u32; 3]) -> u32 {
        let load = |offset| match offset {
            NUMBER => number,
            ARCH => arch,
            16 => arguments[0],
            24 => arguments[1],
            32 => arguments[2],
            other => panic!("offset {other}"),
        };
        let (mut at, mut value) = (0, 0);
        loop {
            let step = program[at];
            at += 1;
            let holds = match step.code {
                LOAD => {
                    value = load(step.k);
                    continue;
                }
                RETURN => return step.k,
                JUMP_EQUAL => value == step.k,
                JUMP_AT_LEAST => value >= step.k,
                JUMP_ANY_BIT => value & step.k != 0,
                other => panic!("instruction {other}"),
            };
            at += usize::from(if holds { step.jt } else { step.jf });
        }
    }

    fn call(number: libc::c_long, arguments: [u32; 3]) -> u32 {
        let number = u32::try_from(number).unwrap();
        run(&program(Sockets::Internet), ARCHITECTURE, number, arguments)
    }

    #[test]
    fn every_call_number_gets_its_answer() {
        let special = [
            libc::SYS_clone,
            libc::SYS_clone3,
            libc::SYS_ioctl,
            libc::SYS_personality,
            libc::SYS_socket,
        ];
        for number in 0..600 {
            if special.contains(&number) {
                continue;
            }
            let expected = if DENIED.contains(&number) {
                ERRNO | libc::EPERM.cast_unsigned()
            } else {
                ALLOW
            };
            assert_eq!(call(number, [0; 3]), expected, "call {number}");
        }
    }

    #[test]
    fn arguments_decide_where_they_must() {
        let refused = |errno: i32| ERRNO | errno.cast_unsigned();
        let user = libc::CLONE_NEWUSER.cast_unsigned();
        assert_eq!(
            call(libc::SYS_clone, [user | 0x11, 0, 0]),
            refused(libc::EPERM)
        );
        assert_eq!(call(libc::SYS_clone, [0x0120_0011, 0, 0]), ALLOW);
        assert_eq!(call(libc::SYS_clone3, [0; 3]), refused(libc::ENOSYS));
        assert_eq!(call(libc::SYS_ioctl, [0, 0x5412, 0]), refused(libc::EPERM));
        assert_eq!(call(libc::SYS_ioctl, [0, 0x5401, 0]), ALLOW);
        assert_eq!(
            call(libc::SYS_personality, [0x4_0000, 0, 0]),
            refused(libc::EPERM)
        );
        assert_eq!(call(libc::SYS_personality, [u32::MAX, 0, 0]), ALLOW);
        assert_eq!(call(libc::SYS_socket, [2, 1, 0]), ALLOW);
        assert_eq!(call(libc::SYS_socket, [16, 3, 0]), ALLOW);
        assert_eq!(
            call(libc::SYS_socket, [16, 3, 12]),
            refused(libc::EPROTONOSUPPORT)
        );
        assert_eq!(
            call(libc::SYS_socket, [40, 1, 0]),
            refused(libc::EAFNOSUPPORT)
        );
    }

    #[test]
    fn other_call_tables_are_refused() {
        let program = program(Sockets::Internet);
        let refused = |errno: i32| ERRNO | errno.cast_unsigned();
        assert_eq!(run(&program, 0x4000_0003, 20, [0; 3]), refused(libc::EPERM));
        assert_eq!(
            run(&program, ARCHITECTURE, X32 + 1, [0; 3]),
            refused(libc::ENOSYS)
        );
    }

    #[test]
    fn local_only_has_no_internet() {
        let program = program(Sockets::LocalOnly);
        let socket = u32::try_from(libc::SYS_socket).unwrap();
        let family = |family| run(&program, ARCHITECTURE, socket, [family, 1, 0]);
        assert_eq!(family(1), ALLOW);
        assert_ne!(family(2), ALLOW);
        assert_ne!(family(10), ALLOW);
    }
}
