//! Software that dpkg has installed. Its status file is read as a stream: lines of any length, in
//! little memory.

use std::fs::File;
use std::io::{self, BufRead, BufReader};

use serde_json::{Value, json};

use super::{ENTRIES, text};

const STATUS: &str = "/var/lib/dpkg/status";
/// Bytes of a line that are looked at.
const LINE: usize = 1_024;

pub(super) fn section() -> Value {
    match File::open(STATUS).and_then(|file| packages(BufReader::new(file))) {
        Ok(packages) => json!({ "source": "dpkg", "packages": packages }),
        Err(cause) => json!({ "packages": [], "cannot_collect": format!("{STATUS}: {cause}") }),
    }
}

#[derive(Default)]
struct Package {
    name: String,
    version: String,
    arch: String,
    installed: bool,
}

fn packages(mut source: impl BufRead) -> io::Result<Vec<Value>> {
    let (mut all, mut line, mut package) = (Vec::new(), Vec::new(), Package::default());
    while all.len() < ENTRIES {
        let more = read_line(&mut source, &mut line)?;
        if line.is_empty() || !more {
            let done = std::mem::take(&mut package);
            if done.installed && !done.name.is_empty() {
                all.push(json!({ "name": done.name, "version": done.version, "arch": done.arch }));
            }
        }
        if !more {
            break;
        }
        let Some(at) = line.iter().position(|byte| *byte == b':') else { continue };
        let (name, value) = line.split_at_checked(at).unwrap_or_default();
        let value = text(value.get(1..).unwrap_or_default());
        match name {
            b"Package" => package.name = value,
            b"Version" => package.version = value,
            b"Architecture" => package.arch = value,
            b"Status" => package.installed = value.ends_with(" installed"),
            _ => {}
        }
    }
    Ok(all)
}

/// Reads a line without its end, and drops what is beyond the limit. False at the end of the file.
fn read_line(source: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<bool> {
    line.clear();
    let mut any = false;
    loop {
        let buffer = source.fill_buf()?;
        if buffer.is_empty() {
            return Ok(any);
        }
        any = true;
        let end = buffer.iter().position(|byte| *byte == b'\n');
        let used = end.unwrap_or(buffer.len());
        let room = LINE.saturating_sub(line.len());
        line.extend(buffer.iter().take(used.min(room)));
        source.consume(end.map_or(used, |end| end + 1));
        if end.is_some() {
            return Ok(true);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(status: &[u8]) -> Vec<String> {
        let packages = packages(BufReader::with_capacity(7, status)).unwrap();
        packages.iter().map(|it| it["name"].as_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn installed_packages_are_listed() {
        let status = b"Package: a\nStatus: install ok installed\nVersion: 1:2-3\nDescription: x\n \
            Package: not-me\n\nPackage: gone\nStatus: deinstall ok config-files\n\n\
            Package: last\nStatus: install ok installed";
        assert_eq!(names(status), ["a", "last"]);
    }

    #[test]
    fn hostile_input_costs_little_and_breaks_nothing() {
        let mut long = b"Package: ".to_vec();
        long.extend(vec![b'x'; 4 << 20]);
        long.extend(b"\nStatus: install ok installed\n\n");
        assert_eq!(names(&long)[0].len(), super::super::TEXT);
        assert_eq!(
            names(b"\n\n\n:\n::\nStatus: x installed\n\n\xff\xfe\0:\n"),
            Vec::<String>::new()
        );
        assert_eq!(names(b"Package: \xff\nStatus: install ok installed\n"), ["\u{fffd}"]);
        assert_eq!(names(b""), Vec::<String>::new());
        let many = b"Package: p\nStatus: install ok installed\n\n".repeat(ENTRIES + 9);
        assert_eq!(names(&many).len(), ENTRIES);
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_fail(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..400)) {
            names(&bytes);
        }
    }
}
