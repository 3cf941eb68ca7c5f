//! What a run of tests says.

/// How tests ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// All passed, so many.
    Passed(usize),
    /// These failed.
    Failed(Vec<String>),
}

impl Verdict {
    /// Reads what `cargo test` has printed. `None` when it says neither: it was stopped, or the test
    /// binary ended before its tests did.
    pub(crate) fn read(printed: &str, success: bool) -> Option<Self> {
        let lines = || printed.lines().filter_map(|line| line.strip_prefix("test "));
        if success {
            return Some(Self::Passed(lines().filter(|line| line.ends_with(" ... ok")).count()));
        }
        let failed = lines().filter_map(|line| line.strip_suffix(" ... FAILED"));
        let failed: Vec<String> = failed.map(str::to_owned).collect();
        (!failed.is_empty()).then_some(Self::Failed(failed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_pass_or_fail_or_say_nothing() {
        let passed = "running 2 tests\ntest a::b ... ok\ntest a::c ... ok\n\ntest result: ok.\n";
        assert_eq!(Verdict::read(passed, true), Some(Verdict::Passed(2)));
        assert_eq!(Verdict::read("running 0 tests\n", true), Some(Verdict::Passed(0)));
        let failed = "test a::b ... ok\ntest a::c ... FAILED\n\nfailures:\n";
        assert_eq!(Verdict::read(failed, false), Some(Verdict::Failed(vec!["a::c".to_owned()])));
        assert_eq!(Verdict::read("error: could not compile\n", false), None);
        assert_eq!(Verdict::read(passed, false), None, "stopped at the end");
    }
}
