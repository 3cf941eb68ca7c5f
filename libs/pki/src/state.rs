//! What a device is told of itself with each certificate, and shows when it asks for the next one:
//! which generation of certificates it is at. The platform alone can write it (HMAC with SHA-256 under
//! a key that is derived from the authority's), so that a copy of a device cannot pretend to be newer.

use aws_lc_rs::hmac::{HMAC_SHA256, Key, sign, verify};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use openframe_ids::DeviceId;

use crate::authority::Authority;

/// The longest text that is looked at.
const MAX_BYTES: usize = 256;
/// What the text begins with: kind and version.
const KIND: &str = "of_ds1";

/// How far a device has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceState {
    /// The device.
    pub device: DeviceId,
    /// How often its certificate was renewed, its first one included.
    pub generation: u64,
    /// Until when it can be shown; kept in whole seconds.
    pub expires: Timestamp,
}

/// Writes and reads [`DeviceState`]s.
#[derive(Clone)]
pub struct DeviceStates(Key);

impl std::fmt::Debug for DeviceStates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DeviceStates(***)")
    }
}

impl Authority {
    /// What writes and reads the states of devices; each holder of this authority can.
    pub fn device_states(&self) -> DeviceStates {
        DeviceStates(Key::new(HMAC_SHA256, &self.derived_key("states of devices")))
    }
}

impl DeviceStates {
    /// The text that a device keeps: kind, device, generation, end, code, with dots in between.
    pub fn write(&self, state: &DeviceState) -> String {
        let DeviceState { device, generation, expires } = state;
        let said = format!("{KIND}.{device}.{generation}.{}", expires.as_second());
        let code = URL_SAFE_NO_PAD.encode(sign(&self.0, said.as_bytes()));
        format!("{said}.{code}")
    }

    /// Reads what [`DeviceStates::write`] wrote; `None` for anything else. Whether it has ended is the
    /// caller's to look at.
    pub fn read(&self, text: &str) -> Option<DeviceState> {
        let (said, code) = text.rsplit_once('.').filter(|_| text.len() <= MAX_BYTES)?;
        let code = URL_SAFE_NO_PAD.decode(code).ok()?;
        verify(&self.0, said.as_bytes(), &code).ok()?;
        let mut parts = said.strip_prefix(KIND)?.strip_prefix('.')?.split('.');
        let state = DeviceState {
            device: parts.next()?.parse().ok()?,
            generation: parts.next()?.parse().ok()?,
            expires: Timestamp::from_second(parts.next()?.parse().ok()?).ok()?,
        };
        parts.next().is_none().then_some(state)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authority::tests::now;

    // B48
    #[test]
    fn a_state_is_read_by_its_authority_as_it_was_written() {
        let (ours, other) =
            (Authority::create(now()).unwrap().0, Authority::create(now()).unwrap().0);
        let expires = Timestamp::from_second(2_000_000_000).unwrap();
        let state = DeviceState { device: DeviceId::new(), generation: 7, expires };
        let text = ours.device_states().write(&state);
        assert_eq!(ours.device_states().read(&text), Some(state.clone()));
        assert_eq!(other.device_states().read(&text), None);
        let newer = ours.device_states().write(&DeviceState { generation: 8, ..state });
        let (said, _) = newer.rsplit_once('.').unwrap();
        let (_, code) = text.rsplit_once('.').unwrap();
        assert_eq!(ours.device_states().read(&format!("{said}.{code}")), None, "a code of another");
        for bad in
            ["", ".", "of_ds1", said, &text.replace("of_ds1", "of_ds2"), &"x.".repeat(1 << 20)]
        {
            assert_eq!(ours.device_states().read(bad), None, "{bad:.40}");
        }
    }
}
