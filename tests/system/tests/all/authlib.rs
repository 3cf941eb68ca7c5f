//! Authlib, a client of OpenID Connect in Python, signs a person in.

use std::process::Command;

use openframe_system::program::{Program, REDIRECT};
use openframe_system::{Process, Server};
use serde_json::json;

use crate::roles::{PASSWORD, person};

/// The program, and the browser that it sends.
const PROGRAM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/all/relying_party.py");

// B02.authlib
#[tokio::test(flavor = "multi_thread")]
async fn authlib_signs_a_person_in_and_acts_for_them() {
    let server = Server::start().unwrap();
    person(&server, "technician").await;
    let app = Program::register(&server, &json!({ "redirect_uris": [REDIRECT] })).await;
    // Of Debian, where the library is; another Python may come first on the path.
    let mut command = Command::new("/usr/bin/python3");
    command.arg(PROGRAM).args([&app.issuer, &app.id, app.secret.as_ref().unwrap()]);
    command.args(["technician@example.org", PASSWORD]);
    command.arg(format!("{}/api/devices/v1/devices", server.url));
    let mut program = Process::start(&mut command).unwrap();
    let ended = program.wait().unwrap();
    let said = program.said();
    assert!(ended.success(), "{said}");
    let expected = "signed in technician@example.org\n\
                    refreshed devices:read email offline_access openid\n\
                    revoked 400 invalid_grant";
    assert_eq!(said, expected);
}
