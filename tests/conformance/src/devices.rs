//! What the devices service's stores promise.

use std::fmt::Write as _;

use jiff::Timestamp;
use openframe_devices::Stores;
use openframe_devices::domain::{
    Change, Chunk, Command, Facts, Goodbye, Hello, Seen, State, Stream, Version,
};
use openframe_devices::store::{Batch, LastSeen, UsedKey, Whose};
use openframe_ids::{CommandId, DeviceId, TenantId};
use uuid::Uuid;

/// One random operation: what to do, to which of a few things, with which value.
pub type Act = (u8, u8, u8);

fn id(kind: u8, n: u8) -> Uuid {
    Uuid::from_u128((u128::from(kind) << 64) | u128::from(n) | 1 << 100)
}

fn at(n: u8) -> Timestamp {
    Timestamp::from_second(n.into()).unwrap_or(Timestamp::UNIX_EPOCH)
}

fn whose(n: u8) -> Whose {
    (TenantId(id(0, n % 2)), DeviceId(id(1, n)))
}

fn hello(n: u8) -> Hello {
    Hello {
        facts: Facts {
            hostname: format!("host {n} <b>\u{0}"),
            os_family: "linux".to_owned(),
            os_name: "Debian".to_owned(),
            os_version: "12".to_owned(),
            kernel: "6.1".to_owned(),
            arch: "x86_64".to_owned(),
            vendor: String::new(),
            model: String::new(),
            serial: "\u{fffd}".to_owned(),
            cpu_count: n.into(),
            memory_bytes: u64::MAX >> 1,
            addresses: vec!["192.0.2.1".to_owned()],
        },
        agent_version: "0.1.0".to_owned(),
        capabilities: vec!["commands".to_owned()],
        remote_address: "192.0.2.2".to_owned(),
        clock_offset_ms: -5,
    }
}

fn command(n: u8, device: u8, value: u8) -> Command {
    let (tenant, device) = whose(device);
    Command {
        id: CommandId(id(2, n)),
        tenant,
        device,
        version: 1,
        state: State::Queued,
        script: "echo \u{0}".to_owned(),
        interpreter: "sh".to_owned(),
        timeout_s: 60,
        idempotent: false,
        created_at: at(value),
        expires_at: at(value.saturating_add(2)),
        started_at: None,
        finished_at: None,
        exit_code: None,
        status_reason: String::new(),
        created_by: "user ann".to_owned(),
        reason: String::new(),
        cancel_requested: false,
        output_bytes: 0,
        output_chunks: 0,
        output_end: 0,
        output_truncated: false,
    }
}

fn key(value: u8) -> UsedKey {
    UsedKey {
        caller: "user ann".to_owned(),
        key: format!("key {}", value % 2),
        request: [value; 32],
        until: at(value.saturating_add(3)),
    }
}

/// Runs the operations and writes down what each answered.
pub async fn log(stores: &Stores, acts: &[Act]) -> String {
    let mut log = String::new();
    for (what, n, value) in acts.iter().copied() {
        let answer = match what {
            0..=5 => on_device(stores, (what, n, value)).await,
            _ => on_command(stores, (what, n, value)).await,
        };
        writeln!(log, "{what} {n} {value}: {answer}").unwrap_or_default();
    }
    for n in 0..6 {
        writeln!(log, "{}", read(stores, n).await).unwrap_or_default();
    }
    log
}

async fn on_device(stores: &Stores, (what, n, value): Act) -> String {
    let devices = &stores.devices;
    match what {
        0 | 1 => format!("{:?}", devices.connect(whose(n), &hello(value), at(value)).await.ok()),
        2 => {
            let name = (value.is_multiple_of(2)).then(|| format!("name {value}"));
            let tags = (value.is_multiple_of(3)).then(|| vec!["a".to_owned(), "b".to_owned()]);
            format!("{:?}", devices.change(whose(n), &Change { name, tags }).await.ok())
        }
        3 if value == 0 => format!("{:?}", devices.retire(whose(n)).await.ok()),
        3 | 4 => {
            let goodbye = Goodbye::of_code(i64::from(value % 3));
            let seen = [LastSeen { whose: whose(n), at: at(value), goodbye }];
            format!("{:?}", devices.seen(&seen).await.ok())
        }
        _ => {
            let limit = u32::from(value) + 1;
            format!("{:?}", devices.all(Some(whose(n)), limit).await.ok())
        }
    }
}

async fn on_command(stores: &Stores, (what, n, value): Act) -> String {
    let commands = &stores.commands;
    let device = n / 2;
    match what {
        6 | 7 => {
            let key = (value.is_multiple_of(2)).then(|| key(value));
            let wanted = command(n, device, value);
            // Ids are never used twice: that is what they are for.
            if commands.command(wanted.tenant, wanted.id).await.ok().flatten().is_some() {
                return String::new();
            }
            format!("{:?}", commands.create(&wanted, key.as_ref()).await.ok())
        }
        8 => {
            let (tenant, _) = whose(device);
            let name = key(value).key;
            format!("{:?}", commands.used(tenant, ("user ann", &name), at(value)).await.ok())
        }
        9 => format!(
            "{:?} {:?}",
            commands.overdue(at(value), 10).await.ok().map(|mut found| {
                found.sort_by_key(|command| command.id);
                found
            }),
            commands.forget_keys(at(value)).await.ok()
        ),
        _ => {
            let old = commands.command(whose(device).0, CommandId(id(2, n))).await.ok().flatten();
            format!("{:?}", stores.reports.commit(whose(device), &batch(old, value), 2).await.ok())
        }
    }
}

fn batch(old: Option<Command>, value: u8) -> Batch {
    let seen = Seen {
        section: if value.is_multiple_of(2) { "os" } else { "software" }.to_owned(),
        reported_at: at(value),
        hash: [value; 32],
        body: br#"{"a":1}"#.to_vec(),
    };
    let mut batch = Batch { sections: vec![Version { at: at(value), seen }], ..Batch::default() };
    if let Some(old) = old {
        // Sometimes somebody was quicker.
        let read = if value == 3 { old.version + 1 } else { old.version };
        let data = vec![value; 3];
        let chunk = Chunk { stream: Stream::Stdout, offset: old.output_end, data };
        let mut next = old;
        next.version += 1;
        next.state = if value.is_multiple_of(2) { State::Running } else { State::Succeeded };
        (next.output_bytes, next.output_end) = (next.output_bytes + 3, next.output_end + 3);
        next.output_chunks += 1;
        batch.chunks.push((next.id, chunk));
        batch.commands.push((read, next));
    }
    batch
}

/// Everything about one device, as readers see it.
async fn read(stores: &Stores, n: u8) -> String {
    let whose = whose(n);
    let mut text = format!("{:?}\n", stores.devices.get(whose.0, &[whose.1]).await.ok());
    let inventory = &stores.inventory;
    for moment in [None, Some(at(2))] {
        writeln!(text, "{:?}", inventory.sections(whose, moment).await.ok()).unwrap_or_default();
    }
    writeln!(text, "{:?}", inventory.history(whose, "os").await.ok()).unwrap_or_default();
    let commands = &stores.commands;
    writeln!(text, "{:?}", commands.unfinished(whose, 10).await.ok()).unwrap_or_default();
    let all = commands.commands(whose, None, 10).await.unwrap_or_default();
    for command in &all {
        let output = commands.output((whose.0, command.id), 1, 10).await.ok();
        writeln!(text, "{command:?} {output:?}").unwrap_or_default();
    }
    let before = all.first().map(|command| command.id);
    writeln!(text, "{:?}", commands.commands(whose, before, 1).await.ok()).unwrap_or_default();
    text
}
