//! Amounts of money: whole numbers of a currency's smallest unit.

use std::fmt;

/// A currency, by its code (ISO 4217).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency([u8; 3]);

/// Currencies without a smaller unit, and those whose smaller unit is a thousandth, as payment providers count them.
const WHOLE: [&str; 15] =
    ["BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF"];
const THOUSANDTHS: [&str; 5] = ["BHD", "JOD", "KWD", "OMR", "TND"];

impl Currency {
    /// Reads a code of three letters in either case; whether it is one of the standard's is not asked.
    pub fn parse(code: &str) -> Option<Currency> {
        let letters: [u8; 3] = code.as_bytes().try_into().ok()?;
        letters.iter().all(u8::is_ascii_alphabetic).then(|| Currency(letters.map(|letter| letter.to_ascii_uppercase())))
    }

    /// The code in capitals, such as `EUR`.
    pub fn code(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// How many digits stand behind the decimal mark.
    pub fn decimals(self) -> u32 {
        match self.code() {
            code if WHOLE.contains(&code) => 0,
            code if THOUSANDTHS.contains(&code) => 3,
            _ => 2,
        }
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.code())
    }
}

/// An amount of one currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Money {
    /// How much, in the smallest unit: cents, yen.
    pub minor: i64,
    /// Of what.
    pub currency: Currency,
}

impl Money {
    /// Reads an amount with a point and a code behind it, such as `5 EUR` or `4.50 USD`.
    pub fn parse(text: &str) -> Option<Money> {
        let (amount, code) = text.trim().rsplit_once(' ')?;
        let currency = Currency::parse(code)?;
        let (whole, part) = amount.trim().split_once('.').unwrap_or((amount.trim(), ""));
        let decimals = currency.decimals() as usize;
        let is_number = |digits: &str| digits.bytes().all(|digit| digit.is_ascii_digit());
        if whole.is_empty() || !is_number(whole) || !is_number(part) || part.len() > decimals {
            return None;
        }
        Some(Money { minor: format!("{whole}{part:0<decimals$}").parse().ok()?, currency })
    }

    /// The number alone, with `mark` before its decimals: `4.50`, `-12`.
    pub fn digits(self, mark: char) -> String {
        let (sign, minor, decimals) =
            (if self.minor < 0 { "-" } else { "" }, self.minor.unsigned_abs(), self.currency.decimals());
        let unit = 10_u64.pow(decimals);
        match decimals {
            0 => format!("{sign}{minor}"),
            _ => format!("{sign}{}{mark}{:0width$}", minor / unit, minor % unit, width = decimals as usize),
        }
    }
}

impl fmt::Display for Money {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.digits('.'), self.currency.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_and_shown_in_their_currency() {
        for (text, minor, shown) in [
            ("5 EUR", 500, "5.00 EUR"),
            ("4.5 usd", 450, "4.50 USD"),
            ("0.07 EUR", 7, "0.07 EUR"),
            ("500 JPY", 500, "500 JPY"),
            ("1.25 KWD", 1250, "1.250 KWD"),
        ] {
            let money = Money::parse(text).unwrap();
            assert_eq!((money.minor, money.to_string().as_str()), (minor, shown), "{text}");
        }
        let euro = Currency::parse("eur").unwrap();
        assert_eq!(Money { minor: -205, currency: euro }.digits(','), "-2,05");
    }

    #[test]
    fn what_is_no_amount_is_refused() {
        for text in
            ["", "5", "EUR", "5 EU", "5 EURO", "5.001 EUR", "0.5 JPY", "-5 EUR", "5,00 EUR", ".5 EUR", "1e3 EUR"]
        {
            assert_eq!(Money::parse(text), None, "{text}");
        }
        assert_eq!(Money::parse("99999999999999999999 EUR"), None);
    }
}
