//! Mount namespaces (`mount_namespaces(7)`): a disk that only one process sees. Needs root, or
//! namespaces of users.

use std::process::Command;

/// Whether a program may have a user namespace of its own. Inside a chroot it may not
/// (`user_namespaces(7)`); root needs none.
fn has_user_namespaces() -> bool {
    let tried = Command::new("unshare").args(["--map-root-user", "true"]).status();
    tried.is_ok_and(|status| status.success())
}

/// What runs the command that its arguments name, with mounts of its own.
pub fn unshare() -> Command {
    let mut unshare = Command::new("unshare");
    if has_user_namespaces() {
        unshare.arg("--map-root-user");
    }
    unshare.arg("--mount");
    unshare
}

/// What runs the command that its arguments name, with the mounts that the process `id` has by
/// [`unshare`].
pub fn enter(id: u32) -> Command {
    let mut enter = Command::new("nsenter");
    if has_user_namespaces() {
        enter.args(["--user", "--preserve-credentials"]);
    }
    enter.args(["--mount", "--target", &id.to_string()]);
    enter
}
