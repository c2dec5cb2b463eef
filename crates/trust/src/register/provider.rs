//! One provider of a register.

use portcullis_identity::{Role, Roles};
use time::Date;
use time::macros::format_description;

/// Countries in which a provider may serve, at most: those of the EEA and as many again.
const COUNTRIES_MAX: usize = 64;
/// Dates of a provider, at most: ten times authorised and withdrawn.
const DATES_MAX: usize = 20;
/// Characters of a name that are kept.
const NAME_CHARS_MAX: usize = 200;

/// A provider with the names by which it is found.
#[derive(Debug)]
pub(super) struct Record {
    /// Country and code of the authority, as they are spelt.
    pub(super) authority: (String, String),
    pub(super) number: Box<str>,
    /// What it is called in a national register.
    pub(super) reference: Option<Box<str>>,
    pub(super) provider: Provider,
}

/// What a register says of a provider.
#[derive(Debug)]
pub(super) struct Provider {
    pub(super) name: Box<str>,
    /// The times at which it was authorised, withdrawn, authorised again and so on, in Unix seconds and in order.
    dates: Box<[i64]>,
    services: Services,
}

/// What it may do, and where.
#[derive(Debug)]
pub(super) enum Services {
    /// The same everywhere.
    Everywhere(Roles),
    /// By country.
    In(Box<[([u8; 2], Roles)]>),
}

/// How a provider stands at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) is_authorised: bool,
    /// Since when it stands so; `None` if it always did.
    pub(super) since: Option<i64>,
    pub(super) until: i64,
}

impl Provider {
    /// # Errors
    /// There is no date, there are too many, or they are not in order.
    pub(super) fn new(name: &str, dates: Vec<i64>, services: Services) -> Result<Self, &'static str> {
        if dates.is_empty() {
            return Err("it has no date of authorisation");
        }
        if dates.len() > DATES_MAX {
            return Err("it has too many dates");
        }
        if !dates.is_sorted() {
            return Err("its dates are not in order");
        }
        let name: String = name.trim().chars().take(NAME_CHARS_MAX).collect();
        Ok(Self { name: name.into(), dates: dates.into(), services })
    }

    pub(super) fn standing(&self, now: i64) -> Standing {
        let passed = self.dates.partition_point(|date| *date <= now);
        Standing {
            is_authorised: passed % 2 == 1,
            since: passed.checked_sub(1).map(|last| self.dates[last]),
            until: self.dates.get(passed).map_or(i64::MAX, |next| next - 1),
        }
    }

    /// What it may do in one country or another.
    pub(super) fn roles(&self) -> Roles {
        self.roles_in(None)
    }

    /// What it may do in `host`; anywhere if that is `None`.
    pub(super) fn roles_in(&self, host: Option<[u8; 2]>) -> Roles {
        match &self.services {
            Services::Everywhere(roles) => *roles,
            Services::In(countries) => {
                let counts = |country: &[u8; 2]| host.is_none_or(|host| host == *country);
                let roles = countries.iter().filter(|(country, _)| counts(country)).map(|(_, roles)| *roles);
                roles.fold(Roles::EMPTY, Roles::union)
            }
        }
    }
}

impl Services {
    /// # Errors
    /// There are too many countries, or one is not two capital letters.
    pub(super) fn by_country<'c>(
        services: impl IntoIterator<Item = (&'c str, Roles)>,
    ) -> Result<Self, &'static str> {
        let mut countries: Vec<([u8; 2], Roles)> = Vec::new();
        for (country, roles) in services {
            let country = country_code(country).ok_or("a country is not two capital letters")?;
            match countries.iter().position(|(known, _)| *known == country) {
                Some(place) => countries[place].1 = countries[place].1.union(roles),
                None if countries.len() == COUNTRIES_MAX => return Err("it has too many countries"),
                None => countries.push((country, roles)),
            }
        }
        Ok(Self::In(countries.into()))
    }
}

/// A country of ISO 3166-1, as far as its form tells. Greece is GR whoever writes it.
fn country_code(text: &str) -> Option<[u8; 2]> {
    let code: [u8; 2] = text.as_bytes().try_into().ok()?;
    let code = if code == *b"EL" { *b"GR" } else { code };
    code.iter().all(u8::is_ascii_uppercase).then_some(code)
}

/// The role that a service of the EBA's register is.
pub(super) fn role_of_service(code: &str) -> Option<Role> {
    match code {
        "PS_070" => Some(Role::PspPi),
        "PS_080" => Some(Role::PspAi),
        "PS_05A" => Some(Role::PspIc),
        _ => None,
    }
}

/// The first second of a day as in `2018-07-02`, in Unix seconds.
pub(super) fn day(text: &str) -> Option<i64> {
    let date = Date::parse(text.trim(), format_description!("[year]-[month]-[day]")).ok()?;
    Some(date.midnight().assume_utc().unix_timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400;

    fn provider(dates: &[i64]) -> Provider {
        Provider::new("X", dates.to_vec(), Services::Everywhere(Roles::EMPTY)).unwrap()
    }

    #[test]
    fn dates_take_turns() {
        let standing = |dates: &[i64], now| provider(dates).standing(now);
        let stands = |is_authorised, since, until| Standing { is_authorised, since, until };
        assert_eq!(standing(&[DAY], DAY - 1), stands(false, None, DAY - 1));
        assert_eq!(standing(&[DAY], DAY), stands(true, Some(DAY), i64::MAX));
        let twice = [DAY, 5 * DAY, 9 * DAY];
        assert_eq!(standing(&twice, 5 * DAY - 1), stands(true, Some(DAY), 5 * DAY - 1));
        assert_eq!(standing(&twice, 5 * DAY), stands(false, Some(5 * DAY), 9 * DAY - 1));
        assert_eq!(standing(&twice, 10 * DAY), stands(true, Some(9 * DAY), i64::MAX));
        for dates in [&[][..], &[DAY, 0], &[0; DATES_MAX + 1]] {
            assert!(Provider::new("X", dates.to_vec(), Services::Everywhere(Roles::EMPTY)).is_err());
        }
    }

    #[test]
    fn services_are_of_a_country() {
        let (ai, pi) = (Roles::from_iter([Role::PspAi]), Roles::from_iter([Role::PspPi]));
        let services = Services::by_country([("IE", ai), ("EL", pi), ("GR", ai)]).unwrap();
        let provider = Provider::new("X", vec![0], services).unwrap();
        assert_eq!(provider.roles_in(Some(*b"IE")), ai);
        assert_eq!(provider.roles_in(Some(*b"GR")), ai.union(pi), "EL is Greece");
        assert_eq!(provider.roles_in(Some(*b"DE")), Roles::EMPTY);
        assert_eq!(provider.roles(), ai.union(pi));
        for country in ["ie", "I", "IRL", "I1", "É"] {
            assert!(Services::by_country([(country, ai)]).is_err(), "{country}");
        }
        let many = (0..=COUNTRIES_MAX).map(|number| {
            let letter = |number: usize| char::from(b'A' + u8::try_from(number % 26).unwrap());
            format!("{}{}", letter(number / 26), letter(number))
        });
        let many: Vec<String> = many.collect();
        assert!(Services::by_country(many.iter().map(|country| (country.as_str(), ai))).is_err());
    }

    #[test]
    fn days_are_days() {
        assert_eq!(day("1970-01-02"), Some(DAY));
        assert_eq!(day(" 2018-07-02 "), Some(1_530_489_600));
        for text in ["", "2018-7-2", "2018-02-30", "2018-07-02T00:00:00Z", "02.07.2018", "20180702"] {
            assert_eq!(day(text), None, "{text}");
        }
    }
}
