//! Units of the calendar, on dates as days since 2000-01-01.

use time::{Date, Month};

/// The Julian day of 2000-01-01.
const EPOCH_JULIAN_DAY: i32 = 2_451_545;

/// The calendar repeats itself after 400 years.
const FOUR_THOUSAND_YEARS: i32 = 10 * 146_097;
/// In the year 7999.
const LATE: i32 = 15 * 146_097 - 200;

/// What windows are counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    Day,
    /// Seven days; by the calendar they begin on a Monday.
    Week,
    /// By the calendar it begins on the first.
    Month,
}

impl Unit {
    /// The date that many units after another; a month later than the 31st may be the 30th or earlier, as in
    /// PostgreSQL. `None`: out of range.
    pub fn after(self, date: i32, count: i32) -> Option<i32> {
        match self {
            Unit::Day => date.checked_add(count),
            Unit::Week => date.checked_add(count.checked_mul(7)?),
            // Windows may end after the year 9999, where `time` has no dates; 4,000 years before months are the same.
            Unit::Month if date > LATE => {
                self.after(date - FOUR_THOUSAND_YEARS, count)?.checked_add(FOUR_THOUSAND_YEARS)
            }
            Unit::Month => {
                let day = to_date(date)?;
                let month =
                    day.year().checked_mul(12)?.checked_add(day.month() as i32 - 1)?.checked_add(count)?;
                let (year, month) =
                    (month.div_euclid(12), Month::try_from(month.rem_euclid(12) as u8 + 1).ok()?);
                let last = month.length(year);
                Date::from_calendar_date(year, month, day.day().min(last)).ok().map(of_date)
            }
        }
    }

    /// The first date of the calendar's unit that a date is in. `None`: out of range.
    pub fn floor(self, date: i32) -> Option<i32> {
        match self {
            Unit::Day => Some(date),
            Unit::Week => {
                let weekday = to_date(date)?.weekday().number_days_from_monday();
                date.checked_sub(i32::from(weekday))
            }
            Unit::Month => to_date(date)?.replace_day(1).ok().map(of_date),
        }
    }
}

fn to_date(days: i32) -> Option<Date> {
    Date::from_julian_day(days.checked_add(EPOCH_JULIAN_DAY)?).ok()
}

fn of_date(date: Date) -> i32 {
    date.to_julian_day() - EPOCH_JULIAN_DAY
}
