//! What each part of the platform says of itself, for `/readyz` and the console.

/// One part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Its name, such as `monitoring.log`.
    pub name: String,
    /// Whether it can do its work.
    pub ready: bool,
    /// What it waits for when it cannot.
    pub waiting_for: Option<String>,
    /// More, for a person.
    pub detail: String,
}

/// Tells how the platform is.
pub trait Health: Send + Sync + 'static {
    /// Every part, as it is now.
    fn parts(&self) -> Vec<Part>;

    /// Seconds since the process started.
    fn uptime_s(&self) -> u64;

    /// The platform's version.
    fn version(&self) -> &'static str;
}
