//! Local users and groups. Nothing of their passwords is read.

use std::fs;

use serde_json::{Value, json};

use super::{ENTRIES, text};

/// Members of a group listed at most.
const MEMBERS: usize = 256;

pub(super) fn section() -> Value {
    let read = |path| fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let users = read("/etc/passwd").unwrap_or_default();
    let groups = read("/etc/group").unwrap_or_default();
    json!({
        "users": users.lines().filter_map(user).take(ENTRIES).collect::<Vec<_>>(),
        "groups": groups.lines().filter_map(group).take(ENTRIES).collect::<Vec<_>>(),
    })
}

fn user(line: &str) -> Option<Value> {
    let [name, _, uid, gid, _, home, shell] = fields::<7>(line)?;
    let (uid, gid): (u32, u32) = (uid.parse().ok()?, gid.parse().ok()?);
    let (name, home, shell) = (short(name), short(home), short(shell));
    Some(json!({ "name": name, "uid": uid, "gid": gid, "home": home, "shell": shell }))
}

fn group(line: &str) -> Option<Value> {
    let [name, _, gid, members] = fields::<4>(line)?;
    let gid: u32 = gid.parse().ok()?;
    let members = members.split(',').filter(|it| !it.is_empty()).take(MEMBERS).map(short);
    Some(json!({ "name": short(name), "gid": gid, "members": members.collect::<Vec<_>>() }))
}

fn fields<const N: usize>(line: &str) -> Option<[&str; N]> {
    line.split(':').collect::<Vec<_>>().try_into().ok()
}

fn short(field: &str) -> String {
    text(field.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_and_groups_are_read_and_nonsense_left_out() {
        let root = user("root:x:0:0:root:/root:/bin/bash").unwrap();
        assert_eq!((root["uid"].as_u64(), root["shell"].as_str()), (Some(0), Some("/bin/bash")));
        assert_eq!(group("adm:x:4:a,b").unwrap()["members"], json!(["a", "b"]));
        for bad in ["", ":::", "a:b:c:d:e:f:g", "a:x:-1:0::/:/", "a:x:99999999999:0:::"] {
            assert_eq!(user(bad), None, "{bad}");
        }
    }
}
