//! Parts of a date, in UTC. For any number, as in Go: years may have twelve digits.

/// Seconds from the first day of Go's calendar, in the year [`FIRST_YEAR`], to 1970.
const TO_1970: i64 = 62_135_596_800 + 9_223_371_966_579_724_800;
/// That year's place in the cycle of 400 years is that of the year 1.
const FIRST_YEAR: i64 = -292_277_022_399;
const DAY: u64 = 86_400;
const DAYS: [u64; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

struct Date {
    year: i64,
    /// The day of the year, from 0.
    day: u64,
}

/// The function of Unix seconds called `name`.
pub(crate) fn part(name: &str) -> Option<fn(f64) -> f64> {
    Some(match name {
        "minute" => |v| (since_first(v) % 3_600 / 60) as f64,
        "hour" => |v| (since_first(v) % DAY / 3_600) as f64,
        // The first day is a Monday.
        "day_of_week" => |v| ((since_first(v) / DAY + 1) % 7) as f64,
        "day_of_month" => |v| (date(v).month_and_day().1 + 1) as f64,
        "day_of_year" => |v| (date(v).day + 1) as f64,
        "days_in_month" => |v| {
            let date = date(v);
            date.days_of(date.month_and_day().0) as f64
        },
        "month" => |v| (date(v).month_and_day().0 + 1) as f64,
        "year" => |v| date(v).year as f64,
        _ => return None,
    })
}

fn since_first(v: f64) -> u64 {
    // What does not fit becomes the least number, as on amd64.
    let fits = v >= -(2.0_f64.powi(63)) && v < 2.0_f64.powi(63);
    let seconds = if fits { v as i64 } else { i64::MIN };
    seconds.wrapping_add(TO_1970).cast_unsigned()
}

fn date(v: f64) -> Date {
    let days = since_first(v) / DAY;
    let (cycles, rest) = (days / 146_097, days % 146_097);
    let centuries = (rest / 36_524).min(3);
    let rest = rest - centuries * 36_524;
    let (fours, rest) = (rest / 1_461, rest % 1_461);
    let years = (rest / 365).min(3);
    let past = cycles * 400 + centuries * 100 + fours * 4 + years;
    Date { year: FIRST_YEAR + past.cast_signed(), day: rest - years * 365 }
}

impl Date {
    fn days_of(&self, month: usize) -> u64 {
        let leap = self.year % 4 == 0 && (self.year % 100 != 0 || self.year % 400 == 0);
        DAYS.get(month).copied().unwrap_or(31) + u64::from(leap && month == 1)
    }

    /// Both from 0.
    fn month_and_day(&self) -> (usize, u64) {
        let (mut month, mut day) = (0, self.day);
        while month < 11 && day >= self.days_of(month) {
            day -= self.days_of(month);
            month += 1;
        }
        (month, day)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (seconds, want) in [
            (0.0, [1970.0, 1.0, 1.0, 1.0, 4.0, 31.0]),
            (951_782_400.0, [2000.0, 2.0, 29.0, 60.0, 2.0, 29.0]),
            (1_735_603_200.0, [2024.0, 12.0, 31.0, 366.0, 2.0, 31.0]),
            (-1.0, [1969.0, 12.0, 31.0, 365.0, 3.0, 31.0]),
        ] {
            let names =
                ["year", "month", "day_of_month", "day_of_year", "day_of_week", "days_in_month"];
            assert_eq!(names.map(|name| part(name).unwrap()(seconds)), want, "{seconds}");
        }
        assert_eq!(["hour", "minute"].map(|name| part(name).unwrap()(-60.0)), [23.0, 59.0]);
    }
}
