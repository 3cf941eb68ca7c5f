//! Second factors: codes of an authenticator app (RFC 6238) and recovery codes.

use std::fmt;

use jiff::Timestamp;
use openframe_tokens::opaque::SecretHash;
use qrcode::QrCode;
use qrcode::render::svg;
use sha2::{Digest as _, Sha256};
use totp_rs::{Builder, Secret};

/// How many recovery codes a person has.
pub const CODES: usize = 10;
/// Random bytes of a recovery code. More than 112 bits, so that a fast hash of it is enough (OWASP ASVS
/// 5.0, 6.5.2).
const CODE_BYTES: usize = 15;
/// Characters of a recovery code between two dashes.
const GROUP: usize = 6;

/// The secret of an authenticator app, encrypted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedTotp {
    /// The secret, as only the auth service can read it.
    pub sealed: Vec<u8>,
    /// When it was made.
    pub created: Timestamp,
}

/// What an authenticator app and the platform share: six digits by HMAC-SHA-1, new each 30 seconds, as
/// every app expects.
pub struct Totp(totp_rs::Totp);

impl fmt::Debug for Totp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Totp(***)")
    }
}

impl Totp {
    /// The secret of `email`'s app. `None` when these are not 16 bytes at least, or the address has a
    /// colon, which no app could read.
    pub fn new(secret: &[u8], email: &str) -> Option<Self> {
        let builder = Builder::new().with_secret(secret.to_vec()).with_skew(1);
        // A colon parts the issuer from the account (Key URI Format).
        let account = email.replace(':', "_");
        builder.with_issuer(Some("OpenFrame")).with_account_name(account).build().ok().map(Self)
    }

    /// The step that `code` is of, if that is the one of `now`, the one before or the one after (RFC
    /// 6238, 5.2).
    pub fn step_of(&self, code: &str, now: Timestamp) -> Option<i64> {
        let now = u64::try_from(now.as_second()).ok()?;
        let code = code.trim();
        let digits = code.len() == 6 && code.bytes().all(|byte| byte.is_ascii_digit());
        let step = digits.then(|| self.0.check(code, now)).flatten()?;
        i64::try_from(step).ok()
    }

    /// The secret in base32, to be typed into an app.
    pub fn secret(&self) -> String {
        self.0.secret().to_base32()
    }

    /// What an app is told by a link (Key URI Format).
    pub fn uri(&self) -> Option<String> {
        self.0.to_url().ok()
    }

    /// The same as a picture to be scanned: SVG, black on white, no scripts, styles or references.
    pub fn qr_svg(&self) -> Option<String> {
        let code = QrCode::new(self.uri()?).ok()?;
        let text = code.render::<svg::Color<'_>>().min_dimensions(200, 200).build();
        // Without the declaration of XML it can be put into a page as well.
        let (_, picture) = text.split_once("?>")?;
        Some(picture.to_owned())
    }
}

/// A recovery code made of random bytes, as a person is shown it.
pub fn recovery_code(random: [u8; CODE_BYTES]) -> String {
    let mut text = String::new();
    for (place, letter) in Secret::from(random.to_vec()).to_base32().chars().enumerate() {
        if place > 0 && place % GROUP == 0 {
            text.push('-');
        }
        text.push(letter);
    }
    text
}

/// What is kept of a recovery code, however it was typed. `None` when it is none.
pub fn hash_recovery_code(typed: &str) -> Option<SecretHash> {
    if typed.len() > 64 {
        return None;
    }
    let letters = typed.chars().filter(|letter| !letter.is_whitespace() && *letter != '-');
    let plain: String = letters.map(|letter| letter.to_ascii_uppercase()).collect();
    let secret = Secret::try_from_base32(&plain).ok()?;
    let random: [u8; CODE_BYTES] = secret.as_bytes().try_into().ok()?;
    Some(SecretHash(Sha256::digest(random).into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    /// RFC 6238, appendix B, of which an app shows the last six digits.
    #[test]
    fn codes_are_those_of_the_standard() {
        let totp = Totp::new(b"12345678901234567890", "ann@example.org").unwrap();
        for (second, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            assert_eq!(totp.step_of(code, at(second)), Some(second / 30), "{second}");
        }
    }

    // B23.step
    #[test]
    fn a_code_is_good_one_step_early_and_one_late() {
        let totp = Totp::new(b"12345678901234567890", "ann@example.org").unwrap();
        for (second, good) in [(29, false), (30, true), (59, true), (119, true), (120, false)] {
            // The code of the seconds 60 to 89, but seen at another time.
            let code = totp.0.generate(60).to_string();
            assert_eq!(totp.step_of(&code, at(second)), good.then_some(2), "{second}");
        }
        for other in ["", "28708", "2870820", "28708a", "28 70 82", "２８７０８２"] {
            assert_eq!(totp.step_of(other, at(59)), None, "{other}");
        }
    }

    #[test]
    fn an_app_is_told_whose_it_is() {
        let totp = Totp::new(b"12345678901234567890", "ann@example.org").unwrap();
        assert_eq!(
            totp.uri().unwrap(),
            "otpauth://totp/OpenFrame:ann%40example.org\
             ?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=OpenFrame"
        );
        let picture = totp.qr_svg().unwrap();
        assert!(picture.starts_with("<svg ") && picture.ends_with("</svg>"), "{picture}");
        assert!(Totp::new(b"12345678901234567890", "a:b@example.org").is_some());
        assert!(Totp::new(b"short", "ann@example.org").is_none());
        assert_eq!(format!("{totp:?}"), "Totp(***)");
    }

    #[test]
    fn a_recovery_code_is_the_same_however_it_is_typed() {
        let code = recovery_code([7; CODE_BYTES]);
        assert_eq!(code.len(), 27, "{code}");
        let kept = hash_recovery_code(&code).unwrap();
        let typed = format!(" {} ", code.to_lowercase().replace('-', " "));
        assert_eq!(hash_recovery_code(&typed), Some(kept));
        assert_ne!(hash_recovery_code(&recovery_code([8; CODE_BYTES])), Some(kept));
        for other in ["", "287082", code.get(1..).unwrap(), &"A".repeat(65)] {
            assert_eq!(hash_recovery_code(other), None, "{other}");
        }
    }
}
