//! Which passwords are refused, and why (OWASP ASVS 5.0, 6.2): too short, known to whoever guesses, or
//! made of words that are at hand. What characters a password has is its person's own business.

use openframe_passwords::{Known, known};

/// The shortest password.
pub const PASSWORD_MIN: usize = 8;
/// The longest password.
pub const PASSWORD_MAX: usize = 256;
/// Words that everybody here thinks of: they count for nothing in a password.
pub const CONTEXT: [&str; 5] =
    ["openframe", "administrator", "technician", "device management", "helpdesk"];
/// The shortest word of a person's own name or mail address that counts for nothing.
pub const OWN_WORD_MIN: usize = 4;

/// Why a password is refused whoever chooses it, if it is.
pub fn password_fault(password: &str) -> Option<&'static str> {
    let length = password.chars().count();
    if !(PASSWORD_MIN..=PASSWORD_MAX).contains(&length) {
        return Some("the password must have 8 to 256 characters");
    }
    match known(password) {
        Some(Known::Common) => {
            return Some("this password is one of the most common ones; choose another");
        }
        Some(Known::Breached) => {
            return Some("this password is known from a breach; choose another");
        }
        None => {}
    }
    let words = CONTEXT.map(str::to_owned);
    made_of(password, &words).then_some(
        "without the words that everybody here thinks of the password is too short; choose another",
    )
}

/// Why a password is refused of the person of this mail address and name, if it is.
pub fn own_password_fault(password: &str, (email, name): (&str, &str)) -> Option<&'static str> {
    let texts = format!("{email} {name}").to_lowercase();
    let words = texts.split(|c: char| !c.is_alphanumeric()).map(str::to_owned);
    let mut words: Vec<String> =
        words.filter(|word| word.chars().count() >= OWN_WORD_MIN).collect();
    words.extend(CONTEXT.map(str::to_owned));
    // The longest first: of "ann-marie" nothing must be left because "marie" went before.
    words.sort_by_key(|word| std::cmp::Reverse(word.len()));
    password_fault(password).or(made_of(password, &words)
        .then_some("without your own name and address the password is too short; choose another"))
}

/// Whether a password is too short, or a common one, without these words.
fn made_of(password: &str, words: &[String]) -> bool {
    let lower = password.to_lowercase();
    let rest = words.iter().fold(lower.clone(), |rest, word| rest.replace(word.as_str(), ""));
    let short = rest.chars().count() < PASSWORD_MIN;
    rest != lower && (short || known(&rest) == Some(Known::Common))
}

#[cfg(test)]
mod tests {
    use super::*;

    // ASVS 6.2.1, 6.2.4, 6.2.5, 6.2.9, 6.2.12
    #[test]
    fn passwords_are_judged_by_length_and_by_who_knows_them_only() {
        assert!(password_fault("seven77").is_some());
        assert!(password_fault("Password1").unwrap().contains("most common"));
        assert!(password_fault("02061993").unwrap().contains("breach"));
        assert!(password_fault(&"ä".repeat(257)).is_some());
        assert_eq!(password_fault(&"ä".repeat(256)), None);
        assert_eq!(password_fault("eight of them"), None);
    }

    // ASVS 6.2.11
    #[test]
    fn words_that_are_at_hand_count_for_nothing() {
        for word in CONTEXT {
            for password in
                [word.to_uppercase(), format!("{word}-2026!"), format!("12{word}{word}")]
            {
                assert!(password_fault(&password).is_some(), "{password}");
            }
            let with = format!("{word} and eight more");
            assert_eq!(password_fault(&with), None, "{with}");
        }
        assert!(password_fault("openframepassword1").is_some(), "a common one is left");
        let ann = ("ann.schmitz@acmecorp.example", "Ann-Kathrin Schmitz");
        for password in ["Schmitz2026!", "kathrin-1990", "AcmeCorp#1", "schmitzkathrin77"] {
            assert!(own_password_fault(password, ann).is_some(), "{password}");
            assert_eq!(password_fault(password), None, "{password}: anybody else may have it");
        }
        assert_eq!(own_password_fault("schmitz keeps four goats", ann), None);
        assert_eq!(own_password_fault("annual leave", ann), None, "too short to count");
    }
}
