//! The table of what follows what, and the laws.

use proptest::prelude::*;

use super::*;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn command(state: State) -> Command {
    Command {
        id: CommandId::new(),
        tenant: TenantId::new(),
        device: DeviceId::new(),
        version: 1,
        state,
        script: "true".to_owned(),
        interpreter: "sh".to_owned(),
        timeout_s: 60,
        idempotent: false,
        created_at: at(100),
        expires_at: at(1_000),
        started_at: None,
        finished_at: None,
        exit_code: None,
        status_reason: String::new(),
        created_by: String::new(),
        reason: String::new(),
        cancel_requested: false,
        output_bytes: 0,
        output_chunks: 0,
        output_end: 0,
        output_truncated: false,
    }
}

fn said(state: ReportedState, second: i64) -> Report {
    Report { state, at: at(second), exit_code: Some(3), reason: "why".to_owned(), output_bytes: 0 }
}

const REPORTED: [ReportedState; 8] = [
    ReportedState::Accepted,
    ReportedState::Running,
    ReportedState::Succeeded,
    ReportedState::Failed,
    ReportedState::TimedOut,
    ReportedState::Interrupted,
    ReportedState::Cancelled,
    ReportedState::Expired,
];

/// Every state with every report: what follows is written out once, in another way than the code.
#[test]
fn a_report_only_ever_moves_a_command_on() {
    for state in State::ALL {
        for reported in REPORTED {
            let next = report(&command(state), &said(reported, 200), at(300));
            let want = match (state, reported) {
                (State::Queued | State::Sent, _) => true,
                (State::Accepted, reported) => reported != ReportedState::Accepted,
                (State::Running, reported) => {
                    !matches!(reported, ReportedState::Accepted | ReportedState::Running)
                }
                _ => false,
            };
            assert_eq!(next.is_some(), want, "{state:?} {reported:?}");
            if let Some(next) = next {
                assert_eq!(next.state, reported.state());
                assert_eq!(next.version, 2);
                assert_eq!(next.finished_at.is_some(), next.state.is_finished());
            }
        }
    }
}

#[test]
fn a_wrong_clock_does_not_end_a_command_before_it_began_or_after_now() {
    let running = report(&command(State::Sent), &said(ReportedState::Running, 9_999), at(300));
    let running = running.unwrap();
    assert_eq!(running.started_at, Some(at(300)));
    let done = report(&running, &said(ReportedState::Succeeded, 5), at(400)).unwrap();
    assert_eq!((done.finished_at, done.exit_code), (Some(at(300)), Some(3)));
}

/// With a device that is away, and with one that is connected since second 5,000.
#[test]
fn time_ends_what_has_not_begun_and_what_its_device_does_not_know() {
    let (sent, report) = (1_000 + SENT_GRACE.as_secs(), REPORT_GRACE.as_secs());
    let away = AWAY_GRACE.as_secs();
    for (state, connected, second, want) in [
        (State::Queued, false, 999, None),
        (State::Queued, false, 1_000, Some(State::Expired)),
        (State::Sent, true, 1_000, None),
        (State::Sent, true, sent, Some(State::Expired)),
        // Must have ended by 1,060; the device had time to say so since 5,000.
        (State::Accepted, true, 5_000 + report - 1, None),
        (State::Accepted, true, 5_000 + report, Some(State::Interrupted)),
        (State::Accepted, false, 5_000 + report, None),
        (State::Running, true, 5_000 + report, Some(State::Interrupted)),
        (State::Running, false, 1_060 + away - 1, None),
        (State::Running, false, 1_060 + away, Some(State::Interrupted)),
        (State::Succeeded, true, 99_999_999, None),
    ] {
        let since = connected.then(|| at(5_000));
        let next = expire(&command(state), at(second), since);
        assert_eq!(next.map(|next| next.state), want, "{state:?} {connected} {second}");
    }
    let started = Command { started_at: Some(at(20_000)), ..command(State::Running) };
    assert_eq!(expire(&started, at(20_060 + report - 1), Some(at(5_000))), None);
    assert_eq!(due(&started), Some(at(20_060 + report)));
    let cancelled = Command { cancel_requested: true, ..command(State::Sent) };
    let next = expire(&cancelled, at(sent), None).map(|next| next.state);
    assert_eq!(next, Some(State::Cancelled));
}

#[test]
fn cancelling_ends_what_was_never_sent_and_asks_for_the_rest() {
    for (state, want) in [
        (State::Queued, Some((State::Cancelled, false))),
        (State::Sent, Some((State::Sent, true))),
        (State::Accepted, Some((State::Accepted, true))),
        (State::Running, Some((State::Running, true))),
        (State::Failed, None),
    ] {
        let next = cancel(&command(state), at(200));
        assert_eq!(next.map(|next| (next.state, next.cancel_requested)), want, "{state:?}");
    }
    let asked = Command { cancel_requested: true, ..command(State::Running) };
    assert_eq!(cancel(&asked, at(200)), None);
}

#[test]
fn what_was_not_written_waits_again_unless_it_was_cancelled() {
    for (state, cancelled, want) in [
        (State::Queued, false, None),
        (State::Sent, false, Some(State::Queued)),
        (State::Sent, true, Some(State::Cancelled)),
        (State::Accepted, false, None),
        (State::Succeeded, false, None),
    ] {
        let command = Command { cancel_requested: cancelled, ..command(state) };
        assert_eq!(returned(&command, at(200)).map(|next| next.state), want, "{state:?}");
    }
}

fn piece(offset: u64, text: &str) -> Chunk {
    Chunk { stream: Stream::Stdout, offset, data: text.into() }
}

#[test]
fn output_is_appended_once_and_cut_at_the_limit() {
    let first = command(State::Running);
    let (second, kept) = append(&first, &piece(0, "hello"), 8).unwrap();
    assert_eq!(kept, Some(piece(0, "hello")));
    assert_eq!(append(&second, &piece(0, "hello"), 8), None);
    assert_eq!(append(&second, &piece(3, ""), 8), None);
    let (third, kept) = append(&second, &piece(3, "lo wor"), 8).unwrap();
    assert_eq!(kept, Some(piece(5, " wo")));
    assert!(third.output_truncated);
    assert_eq!((third.output_bytes, third.output_end), (8, 8));
    assert_eq!(append(&third, &piece(9, "ld"), 8), None);
    let (far, kept) = append(&first, &piece(u64::MAX, "x"), 8).unwrap();
    assert_eq!((far.output_truncated, kept), (true, None));
}

#[derive(Debug, Clone)]
enum Step {
    Pushed,
    Returned,
    Reported(ReportedState),
    Expire(i64),
    Cancel,
    Output(u64, String),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        Just(Step::Pushed),
        Just(Step::Returned),
        Just(Step::Cancel),
        proptest::sample::select(REPORTED.to_vec()).prop_map(Step::Reported),
        (0..9_000_i64).prop_map(Step::Expire),
        (0..40_u64, "[a-z]{0,9}").prop_map(|(offset, text)| Step::Output(offset, text)),
    ];
    proptest::collection::vec(step, 0..40)
}

fn take(command: &Command, step: &Step) -> Option<Command> {
    match step {
        Step::Pushed => pushed(command),
        Step::Returned => returned(command, at(300)),
        Step::Reported(state) => report(command, &said(*state, 200), at(300)),
        Step::Expire(second) => expire(command, at(*second), Some(at(200))),
        Step::Cancel => cancel(command, at(300)),
        Step::Output(offset, text) => append(command, &piece(*offset, text), 32).map(|it| it.0),
    }
}

proptest! {
    #[test]
    fn the_laws_hold_for_any_life(steps in steps()) {
        let mut now = command(State::Queued);
        let mut accepted = 0;
        for step in &steps {
            let Some(next) = take(&now, step) else { continue };
            prop_assert_eq!(next.version, now.version + 1);
            prop_assert!(next.state >= now.state || matches!(step, Step::Returned));
            if now.state.is_finished() {
                // Output may arrive late; nothing else of a finished command changes.
                prop_assert_eq!(next.state, now.state);
                prop_assert_eq!(next.finished_at, now.finished_at);
                prop_assert!(matches!(step, Step::Output(..)));
            }
            accepted += u32::from(next.state == State::Accepted && now.state != State::Accepted);
            prop_assert!(accepted <= 1);
            prop_assert!(next.output_end >= now.output_end && next.output_bytes <= 32);
            prop_assert_eq!(take(&next, step).map(|it| it.state), None, "taken twice: {:?}", step);
            now = next;
        }
    }
}
