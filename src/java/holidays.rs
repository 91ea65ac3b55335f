//! Public holidays as Jollyday has them, the library that Kestra asks: those of a few countries, read from its tables; the rows
//! of tests/captures/core/conditions.tsv were asked of Kestra itself.

use jiff::ToSpan;
use jiff::civil::Date;
use jiff::civil::Weekday::{self, Friday, Monday, Saturday, Sunday, Thursday, Tuesday, Wednesday};

/// On which day a holiday falls.
#[derive(Clone, Copy)]
enum Day {
    /// Month and day.
    On(i8, i8),
    /// So many days after Easter Sunday.
    Easter(i32),
    /// The first (1) to fourth, or the last (-1), such day of the week in a month, and so many days later.
    Nth(i8, Weekday, i8, i32),
    /// The last such day of the week before month and day.
    Before(Weekday, i8, i8),
}

/// On such a day of the week it is moved: to the next one of another, or to the one before.
type Move = (Weekday, fn(Date) -> Option<Date>);

/// A holiday: its day, where it is moved to, and the years in which there is one.
#[derive(Clone, Copy)]
struct Holiday {
    day: Day,
    moves: &'static [Move],
    since: i16,
    until: i16,
    even: bool,
}

const fn of(day: Day) -> Holiday {
    Holiday { day, moves: &[], since: i16::MIN, until: i16::MAX, even: false }
}
const fn on(month: i8, day: i8) -> Holiday {
    of(Day::On(month, day))
}
const fn easter(days: i32) -> Holiday {
    of(Day::Easter(days))
}
const fn nth(which: i8, weekday: Weekday, month: i8) -> Holiday {
    of(Day::Nth(which, weekday, month, 0))
}

impl Holiday {
    const fn since(self, since: i16) -> Holiday {
        Holiday { since, ..self }
    }
    const fn until(self, until: i16) -> Holiday {
        Holiday { until, ..self }
    }
    const fn moved(self, moves: &'static [Move]) -> Holiday {
        Holiday { moves, ..self }
    }

    /// The date on which it falls in a year, if it does.
    fn in_year(&self, year: i16) -> Option<Date> {
        if !(self.since..=self.until).contains(&year) || self.even && year % 2 != 0 {
            return None;
        }
        let first = |month: i8| Date::new(year, month, 1).ok();
        let date = match self.day {
            Day::On(month, day) => Date::new(year, month, day).ok()?,
            Day::Easter(days) => easter_sunday(year)?.checked_add(days.days()).ok()?,
            Day::Nth(which, weekday, month, later) => {
                first(month)?.nth_weekday_of_month(which, weekday).ok()?.checked_add(later.days()).ok()?
            }
            Day::Before(weekday, month, day) => Date::new(year, month, day).ok()?.nth_weekday(-1, weekday).ok()?,
        };
        match self.moves.iter().find(|(from, _)| *from == date.weekday()) {
            Some((_, to)) => to(date),
            None => Some(date),
        }
    }
}

/// Easter Sunday of the Gregorian calendar (the rule of Gauss, in the form without exceptions).
fn easter_sunday(year: i16) -> Option<Date> {
    let year_number = i32::from(year);
    let (golden, century) = (year_number.rem_euclid(19), year_number.div_euclid(100));
    let in_century = year_number.rem_euclid(100);
    let moon = (19 * golden + century - century / 4 - (century - (century + 8) / 25 + 1) / 3 + 15).rem_euclid(30);
    let days = (32 + 2 * (century % 4) + 2 * (in_century / 4) - moon - in_century % 4).rem_euclid(7);
    let late = (golden + 11 * moon + 22 * days) / 451;
    let sum = moon + days - 7 * late + 114;
    Date::new(year, i8::try_from(sum / 31).ok()?, i8::try_from(sum % 31 + 1).ok()?).ok()
}

fn next_monday(date: Date) -> Option<Date> {
    date.nth_weekday(1, Monday).ok()
}
fn next_tuesday(date: Date) -> Option<Date> {
    date.nth_weekday(1, Tuesday).ok()
}
fn day_before(date: Date) -> Option<Date> {
    date.yesterday().ok()
}

const FEDERAL: &[Move] = &[(Saturday, day_before), (Sunday, next_monday)];
const TO_MONDAY: &[Move] = &[(Saturday, next_monday), (Sunday, next_monday)];
const CHRISTMAS: &[Move] = &[(Saturday, next_monday), (Sunday, next_tuesday)];
const TO_TUESDAY: &[Move] = &[(Saturday, next_tuesday), (Sunday, next_tuesday)];
const SUNDAY_NEXT: &[Move] = &[(Sunday, next_monday)];
const SUNDAY_BEFORE: &[Move] = &[(Sunday, day_before)];

const GOOD_FRIDAY: Holiday = easter(-2);
const EASTER: Holiday = easter(0);
const EASTER_MONDAY: Holiday = easter(1);
const ASCENSION: Holiday = easter(39);
const PENTECOST: Holiday = easter(49);
const WHIT_MONDAY: Holiday = easter(50);
const CORPUS_CHRISTI: Holiday = easter(60);
const NEW_YEAR: Holiday = on(1, 1);
const EPIPHANY: Holiday = on(1, 6);
const LABOUR: Holiday = on(5, 1);
const ASSUMPTION: Holiday = on(8, 15);
const REFORMATION: Holiday = on(10, 31);
const ALL_SAINTS: Holiday = on(11, 1);

/// The holidays of a country.
struct Country {
    code: &'static str,
    national: &'static [Holiday],
    /// Those of its divisions on top; none where they were not read. A code that is not there has none of its own.
    divisions: Option<&'static [(&'static str, &'static [Holiday])]>,
}

const COUNTRIES: &[Country] = &[
    Country { code: "be", national: BELGIUM, divisions: Some(&[]) },
    Country { code: "de", national: GERMANY, divisions: Some(GERMAN) },
    Country { code: "es", national: SPAIN, divisions: None },
    Country { code: "fr", national: FRANCE, divisions: Some(FRENCH) },
    Country { code: "gb", national: BRITAIN, divisions: Some(BRITISH) },
    Country { code: "in", national: INDIA, divisions: None },
    Country { code: "it", national: ITALY, divisions: Some(&[("bz", &[WHIT_MONDAY])]) },
    Country { code: "nl", national: NETHERLANDS, divisions: Some(&[]) },
    Country { code: "us", national: STATES, divisions: None },
];

const BELGIUM: &[Holiday] = &[
    NEW_YEAR,
    EASTER,
    EASTER_MONDAY,
    LABOUR,
    ASCENSION,
    PENTECOST,
    WHIT_MONDAY,
    on(7, 21),
    ASSUMPTION,
    ALL_SAINTS,
    on(11, 2),
    on(11, 11),
    on(11, 15),
    on(12, 25),
    on(12, 31),
];

const REPENTANCE: Holiday = of(Day::Before(Wednesday, 11, 23));
const WOMEN: Holiday = on(3, 8);

const GERMANY: &[Holiday] = &[
    NEW_YEAR,
    GOOD_FRIDAY,
    EASTER_MONDAY,
    LABOUR,
    ASCENSION,
    WHIT_MONDAY,
    on(6, 17).since(1954).until(1990),
    on(10, 3).since(1990),
    REFORMATION.since(2017).until(2017),
    REPENTANCE.since(1934).until(1938),
    REPENTANCE.since(1990).until(1994),
    on(12, 25),
    on(12, 26),
];

const GERMAN: &[(&str, &[Holiday])] = &[
    ("bb", &[EASTER, PENTECOST, REFORMATION]),
    ("be", &[WOMEN.since(2019), on(5, 8).since(2020).until(2020), REPENTANCE.since(1945).until(1989)]),
    ("bw", &[EPIPHANY, CORPUS_CHRISTI, ALL_SAINTS, REPENTANCE.since(1945).until(1989)]),
    ("by", &[EPIPHANY, CORPUS_CHRISTI, ALL_SAINTS, REPENTANCE.since(1981).until(1989)]),
    ("hb", &[REFORMATION.since(2018), REPENTANCE.since(1945).until(1989)]),
    ("he", &[EASTER, PENTECOST, CORPUS_CHRISTI, REPENTANCE.since(1945).until(1989)]),
    ("hh", &[REFORMATION.since(2018), REPENTANCE.since(1945).until(1989)]),
    ("mv", &[WOMEN.since(2023), REFORMATION]),
    ("ni", &[REFORMATION.since(2018), REPENTANCE.since(1945).until(1989)]),
    ("nw", &[CORPUS_CHRISTI, ALL_SAINTS, REPENTANCE.since(1945).until(1989)]),
    ("rp", &[CORPUS_CHRISTI, ALL_SAINTS, REPENTANCE.since(1945).until(1989)]),
    ("sh", &[REFORMATION.since(2018), REPENTANCE.since(1945).until(1989)]),
    ("sl", &[CORPUS_CHRISTI, ASSUMPTION, ALL_SAINTS, REPENTANCE.since(1945).until(1989)]),
    ("sn", &[REFORMATION, REPENTANCE.since(1995)]),
    ("st", &[EPIPHANY, REFORMATION]),
    ("th", &[on(9, 20).since(2019), REFORMATION]),
];

const SPAIN: &[Holiday] = &[
    NEW_YEAR.since(1967),
    EPIPHANY,
    GOOD_FRIDAY,
    LABOUR,
    ASSUMPTION,
    on(10, 12),
    ALL_SAINTS,
    on(12, 6).since(1978),
    on(12, 8),
    on(12, 25).until(2021),
    on(12, 25).since(2023),
];

const FRANCE: &[Holiday] = &[
    NEW_YEAR,
    EASTER,
    EASTER_MONDAY,
    LABOUR,
    on(5, 8),
    ASCENSION,
    WHIT_MONDAY.until(2003),
    WHIT_MONDAY.since(2008),
    on(7, 14),
    ASSUMPTION,
    ALL_SAINTS,
    on(11, 11),
    on(12, 25),
];

const FRENCH: &[(&str, &[Holiday])] = &[
    ("br", &[GOOD_FRIDAY, on(12, 26)]),
    ("gu", &[on(5, 27)]),
    ("gy", &[on(6, 10)]),
    ("hr", &[GOOD_FRIDAY, on(12, 26)]),
    ("lr", &[on(12, 20)]),
    ("ma", &[on(5, 22)]),
    ("mo", &[on(12, 26)]),
];

const BRITAIN: &[Holiday] = &[
    GOOD_FRIDAY,
    nth(1, Monday, 5).since(1900).until(2019),
    nth(2, Friday, 5).since(2020).until(2020),
    nth(1, Monday, 5).since(2021),
    on(5, 8).since(2020).until(2020),
    on(5, 8).since(2023).until(2023),
    nth(-1, Monday, 5).until(2021),
    nth(-1, Monday, 5).since(2023),
    on(6, 2).since(2022).until(2022),
    on(6, 3).since(2022).until(2022),
    on(9, 19).since(2022).until(2022),
    on(12, 25).moved(CHRISTMAS),
    on(12, 26).moved(CHRISTMAS),
];

const BRITISH: &[(&str, &[Holiday])] = &[
    ("al", &[NEW_YEAR]),
    ("en", &[NEW_YEAR.moved(TO_MONDAY), EASTER_MONDAY, nth(-1, Monday, 8)]),
    ("gu", &[NEW_YEAR, on(5, 9)]),
    ("im", &[NEW_YEAR, nth(2, Friday, 6), on(7, 5)]),
    ("je", &[NEW_YEAR, on(5, 9)]),
    ("ni", &[NEW_YEAR, on(3, 17).moved(TO_MONDAY), EASTER_MONDAY, on(7, 12).moved(TO_MONDAY), nth(-1, Monday, 8)]),
    ("sc", &[NEW_YEAR.moved(TO_TUESDAY), on(1, 2).moved(TO_MONDAY), nth(1, Monday, 8), on(11, 30)]),
    ("wa", &[NEW_YEAR.moved(TO_MONDAY), EASTER_MONDAY, nth(-1, Monday, 8)]),
];

const INDIA: &[Holiday] = &[on(1, 26), on(8, 15), on(10, 2)];

const ITALY: &[Holiday] = &[
    NEW_YEAR.since(1967),
    EPIPHANY,
    EASTER,
    EASTER_MONDAY.since(1642),
    on(4, 25),
    LABOUR,
    on(6, 2),
    ASSUMPTION,
    ALL_SAINTS,
    on(12, 8),
    on(12, 25),
    on(12, 26),
];

const NETHERLANDS: &[Holiday] = &[
    NEW_YEAR.since(1967),
    GOOD_FRIDAY,
    EASTER,
    EASTER_MONDAY.since(1642),
    on(8, 31).since(1885).until(1947),
    on(4, 30).since(1948).until(1979).moved(SUNDAY_NEXT),
    on(4, 30).since(1980).until(2013).moved(SUNDAY_BEFORE),
    on(4, 27).since(2014).moved(SUNDAY_BEFORE),
    on(5, 5).since(1990),
    ASCENSION,
    PENTECOST,
    WHIT_MONDAY,
    on(12, 25),
    on(12, 26),
];

const STATES: &[Holiday] = &[
    NEW_YEAR.moved(FEDERAL),
    nth(3, Monday, 1).since(1986),
    nth(3, Monday, 2).since(1971),
    on(5, 30).since(1869).until(1967),
    nth(-1, Monday, 5).since(1968),
    on(6, 19).since(2021).moved(FEDERAL),
    on(7, 4).since(1776).moved(FEDERAL),
    nth(1, Monday, 9).since(1895),
    on(11, 11).since(1938).moved(FEDERAL),
    nth(4, Thursday, 11).since(1863),
    on(12, 25).moved(FEDERAL),
];

/// Those of the United States as the library had them that came with 0.20: few are moved, more are there.
const STATES_OF_0_20: &[Holiday] = &[
    NEW_YEAR,
    nth(3, Monday, 1).since(1986),
    nth(3, Monday, 2).since(1971),
    on(5, 30).since(1869).until(1967),
    nth(-1, Monday, 5).since(1968),
    on(6, 19).since(2021).moved(FEDERAL),
    on(7, 4).since(1776),
    nth(1, Monday, 9).since(1895),
    nth(2, Monday, 10).since(1937),
    on(11, 11).since(1938),
    Holiday { even: true, ..of(Day::Nth(1, Monday, 11, 1)) },
    nth(4, Thursday, 11).since(1863),
    on(12, 25),
];

/// Why nobody here knows whether a day is a holiday.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unknown {
    /// The library has no such country: its code is no code of one.
    Country,
    /// It has, and it was not read, or what its divisions have was not.
    NotSimulated,
}

/// Codes of ISO 3166 for users, which are no country's, but for that of Kosovo.
fn is_free(code: &str) -> bool {
    match code.as_bytes() {
        [b'a', b'a'] | [b'z', b'z'] | [b'q', b'm'..=b'z'] => true,
        [b'x', other] => *other != b'k',
        _ => false,
    }
}

/// The holidays of a country, and those of a division of it, by their codes (ISO 3166).
fn found(country: &str, division: Option<&str>) -> Result<(&'static Country, &'static [Holiday]), Unknown> {
    let code = country.to_ascii_lowercase();
    if code.len() != 2 || !code.bytes().all(|it| it.is_ascii_lowercase()) || is_free(&code) {
        return Err(Unknown::Country);
    }
    let of = COUNTRIES.iter().find(|of| of.code == code).ok_or(Unknown::NotSimulated)?;
    let Some(division) = division else { return Ok((of, &[])) };
    let divisions = of.divisions.ok_or(Unknown::NotSimulated)?;
    let own = divisions.iter().find(|(code, _)| code.eq_ignore_ascii_case(division));
    Ok((of, own.map_or(&[][..], |(_, own)| own)))
}

/// Whether a day is a holiday in a country, or in a division of it; those of the United States `moved` from a weekend, or as
/// the library had them that came with 0.20. A holiday that is moved into another year is none, as there.
///
/// # Errors
/// Nobody here knows.
pub fn is_holiday(date: Date, country: &str, division: Option<&str>, moved: bool) -> Result<bool, Unknown> {
    let (of, own) = found(country, division)?;
    let national = if !moved && of.code == "us" { STATES_OF_0_20 } else { of.national };
    Ok(national.iter().chain(own).any(|holiday| holiday.in_year(date.year()) == Some(date)))
}

/// Whether the holidays of a country, or of a division of it, are simulated, or are known not to be there.
pub fn is_known(country: &str, division: Option<&str>) -> bool {
    !matches!(found(country, division), Err(Unknown::NotSimulated))
}
