//! Commands on a real device: run, watched, cancelled, survived.

use openframe_devices_api::{Command, DevicesClient, NewCommand};
use openframe_ids::{CommandId, DeviceId};
use openframe_system::{Server, script, until};

async fn finished(devices: &DevicesClient, id: CommandId) -> Command {
    until("the command to finish", || async {
        devices.command(id).await.ok().filter(|command| command.finished)
    })
    .await
}

async fn run(devices: &DevicesClient, device: DeviceId, text: &str) -> (Command, String) {
    let made = devices.run(device, &script(text)).await.unwrap();
    let command = finished(devices, made.id).await;
    let output = devices.output(command.id, 0).await.unwrap();
    (command, output.chunks.into_iter().map(|chunk| chunk.text).collect())
}

#[tokio::test]
async fn a_command_runs_and_its_output_is_read() {
    let server = Server::start().unwrap();
    let (_agent, device) = server.agent().await.unwrap();
    let devices = server.devices().unwrap();
    let (command, output) = run(&devices, device.id, "uname -a").await;
    assert_eq!((command.state.as_str(), command.exit_code), ("succeeded", Some(0)));
    assert!(output.starts_with("Linux "), "{output:?}");
    let (command, _) = run(&devices, device.id, "exit 7").await;
    assert_eq!((command.state.as_str(), command.exit_code), ("failed", Some(7)));
}

#[tokio::test]
async fn output_of_any_bytes_arrives_as_text() {
    let server = Server::start().unwrap();
    let (_agent, device) = server.agent().await.unwrap();
    let devices = server.devices().unwrap();
    let text = r"printf '<script>alert(1)</script>\033[2J\377\376 end'";
    let (_, output) = run(&devices, device.id, text).await;
    assert_eq!(output, "<script>alert(1)</script>\u{1b}[2J\u{fffd}\u{fffd} end");
}

#[tokio::test]
async fn a_command_waits_for_a_device_that_is_away() {
    let server = Server::start().unwrap();
    let (mut agent, device) = server.agent().await.unwrap();
    let devices = server.devices().unwrap();
    agent.process().kill().unwrap();
    let made = devices.run(device.id, &script("echo later")).await.unwrap();
    agent.crash_and_restart().unwrap();
    assert_eq!(finished(&devices, made.id).await.state, "succeeded");
}

#[tokio::test]
async fn a_running_command_is_cancelled_with_all_it_started() {
    let server = Server::start().unwrap();
    let (_agent, device) = server.agent().await.unwrap();
    let devices = server.devices().unwrap();
    let made = devices.run(device.id, &script("sleep 600 & echo $!; wait")).await.unwrap();
    let child = until("the child's process id", || async {
        let output = devices.output(made.id, 0).await.ok()?;
        output.chunks.first()?.text.trim().parse::<u32>().ok()
    })
    .await;
    devices.cancel(made.id).await.unwrap();
    assert_eq!(finished(&devices, made.id).await.state, "cancelled");
    until("the child to be gone", || async {
        let stat = std::fs::read_to_string(format!("/proc/{child}/stat"));
        stat.map_or(true, |stat| stat.contains(") Z ")).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_command_over_its_time_is_ended() {
    let server = Server::start().unwrap();
    let (_agent, device) = server.agent().await.unwrap();
    let devices = server.devices().unwrap();
    let command = NewCommand { timeout_s: Some(1), ..script("sleep 600") };
    let made = devices.run(device.id, &command).await.unwrap();
    assert_eq!(finished(&devices, made.id).await.state, "timed_out");
}

#[tokio::test]
async fn an_agent_that_dies_runs_nothing_twice() {
    let server = Server::start().unwrap();
    let (mut agent, device) = server.agent().await.unwrap();
    let devices = server.devices().unwrap();
    let marks = server.folder().join("marks");
    let text = format!("echo x >> {}; sleep 600", marks.display());
    let made = devices.run(device.id, &script(&text)).await.unwrap();
    until("the command to have begun", || async { marks.exists().then_some(()) }).await;
    agent.crash_and_restart().unwrap();
    assert_eq!(finished(&devices, made.id).await.state, "interrupted");
    assert_eq!(std::fs::read_to_string(&marks).unwrap(), "x\n");
}
