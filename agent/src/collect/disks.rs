//! Filesystems and disks. Only filesystems on local storage: asking one on a network may never
//! return, and virtual ones have no space.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;

use super::system::Before;
use super::{MANY, Measured, count, labelled};

/// Types of filesystems that are measured.
const LOCAL: [&str; 15] = [
    "ext2", "ext3", "ext4", "xfs", "btrfs", "zfs", "f2fs", "vfat", "exfat", "ntfs", "ntfs3",
    "bcachefs", "jfs", "reiserfs", "hfsplus",
];
/// Bytes of a sector as the kernel counts them, whatever the disk has.
const SECTOR: u64 = 512;

pub(super) fn filesystems(_: &mut Before) -> Measured {
    let mounts = fs::read("/proc/self/mounts").map_err(|cause| cause.to_string())?;
    let (mut points, mut seen) = (Vec::new(), HashSet::new());
    for mount in mounts.split(|byte| *byte == b'\n').filter_map(Mount::read) {
        let Mount { device, path, kind } = &mount;
        let (kind, root) = (kind.as_str(), path == b"/" && kind == "overlay");
        if !(LOCAL.contains(&kind) || root) || seen.len() >= MANY || !seen.insert(device.clone()) {
            continue;
        }
        let Ok(stat) = rustix::fs::statvfs(OsStr::from_bytes(path)) else { continue };
        let point = String::from_utf8_lossy(path);
        let labels = [("device", device.as_str()), ("mountpoint", &*point), ("type", kind)];
        let state = |name, state, value| {
            let [a, b, c] = labels;
            labelled(name, &[a, b, c, ("state", state)], count(value))
        };
        let bytes = "system_filesystem_usage_bytes";
        let used = stat.f_blocks.saturating_sub(stat.f_bfree) * stat.f_frsize;
        let free = stat.f_bavail * stat.f_frsize;
        let reserved = stat.f_bfree.saturating_sub(stat.f_bavail) * stat.f_frsize;
        points.extend([
            state(bytes, "used", used),
            state(bytes, "free", free),
            state(bytes, "reserved", reserved),
        ]);
        let ratio = count(used) / count((used + free).max(1));
        points.push(labelled("system_filesystem_utilization_ratio", &labels, ratio));
        if stat.f_files > 0 {
            let inodes = "system_filesystem_inodes_count";
            points.push(state(inodes, "used", stat.f_files.saturating_sub(stat.f_ffree)));
            points.push(state(inodes, "free", stat.f_ffree));
        }
    }
    Ok(points)
}

/// A line of `/proc/self/mounts` (`proc_pid_mounts(5)`).
struct Mount {
    device: String,
    /// Any bytes but zero.
    path: Vec<u8>,
    kind: String,
}

impl Mount {
    fn read(line: &[u8]) -> Option<Self> {
        let mut fields = line.split(|byte| *byte == b' ').map(unescape);
        let (device, path, kind) = (fields.next()?, fields.next()?, fields.next()?);
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Some(Self { device: text(device), path, kind: text(kind) })
    }
}

/// Blanks, line ends and backslashes are written as three octal digits there.
fn unescape(field: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((first, after)) = rest.split_first() {
        let digits = after.get(..3).filter(|_| *first == b'\\');
        let byte = digits.and_then(|it| u8::from_str_radix(std::str::from_utf8(it).ok()?, 8).ok());
        plain.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { after.get(3..).unwrap_or_default() } else { after };
    }
    plain
}

pub(super) fn io(_: &mut Before) -> Measured {
    let stats = fs::read_to_string("/proc/diskstats").map_err(|cause| cause.to_string())?;
    let (mut points, mut disks) = (Vec::new(), 0);
    for line in stats.lines() {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let Some(name) = fields.get(2) else { continue };
        let virtual_one = ["loop", "ram", "zram", "sr", "fd"].iter().any(|it| name.starts_with(it));
        // Partitions have no folder here: only whole disks are measured.
        let whole = fs::exists(format!("/sys/block/{name}")).unwrap_or(false);
        if virtual_one || !whole || disks >= MANY {
            continue;
        }
        disks += 1;
        let field = |at: usize| fields.get(at).and_then(|it| it.parse::<u64>().ok()).unwrap_or(0);
        let pairs = [
            ("system_disk_io_bytes_total", field(5) * SECTOR, field(9) * SECTOR),
            ("system_disk_operations_total", field(3), field(7)),
        ];
        for (series, read, written) in pairs {
            for (direction, value) in [("read", read), ("write", written)] {
                let labels = [("device", *name), ("direction", direction)];
                points.push(labelled(series, &labels, count(value)));
            }
        }
        let busy = count(field(12)) / 1e3;
        points.push(labelled("system_disk_io_time_seconds_total", &[("device", *name)], busy));
    }
    Ok(points)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mount_points_are_any_bytes() {
        let read = |line: &[u8]| Mount::read(line).unwrap().path;
        assert_eq!(read(b"/dev/a / ext4 rw 0 0"), b"/");
        assert_eq!(read(br"/dev/a /a\040b\011c\134d ext4 rw 0 0"), b"/a b\tc\\d");
        assert_eq!(read(b"/dev/a /\xff\xfe ext4 rw 0 0"), b"/\xff\xfe");
        assert_eq!(read(br"/dev/a /x\9 ext4 rw 0 0"), br"/x\9");
        assert!(Mount::read(b"").is_none());
    }
}
