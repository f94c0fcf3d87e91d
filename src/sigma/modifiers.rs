//! The modifiers behind a field name → what they ask for, or which of them do not go together.

use rsigma_parser::Modifier;

/// How the values of a field are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    Equal,
    Contains,
    StartsWith,
    EndsWith,
    Regex,
    Cidr,
    Exists,
    /// With another field, by one of the first four.
    Field(Text),
    /// By `>`, `>=`, `<` or `<=`.
    Order(&'static str),
    /// A part of a time, by the name that SQL's `date_part` knows.
    TimePart(&'static str),
}

/// How two texts are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Text {
    Equal,
    Contains,
    StartsWith,
    EndsWith,
}

/// Bytes that a text becomes before base64.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wide {
    LittleEndian,
    BigEndian,
    /// Little-endian behind a byte order mark.
    Marked,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Base64 {
    Whole,
    /// Anywhere in what was encoded: three texts, one for each place in a group of three bytes.
    Offset,
}

/// All modifiers of one field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Modifiers {
    pub operator: Operator,
    /// All values must match, not one.
    pub all: bool,
    pub cased: bool,
    /// No value may match.
    pub neq: bool,
    pub windash: bool,
    pub expand: bool,
    pub wide: Option<Wide>,
    pub base64: Option<Base64>,
    /// Flags of regular expressions, as they stand in `(?...)`.
    pub flags: String,
}

/// Reads the modifiers of a field.
///
/// # Errors
/// Names those that contradict each other or do nothing together.
pub fn read(list: &[Modifier]) -> Result<Modifiers, String> {
    let has = |modifier: Modifier| list.contains(&modifier);
    let one_of = |choices: &[Modifier]| {
        let mut found = list.iter().copied().filter(|modifier| choices.contains(modifier));
        match (
            found.next(),
            found.find(|other| *other != *list.iter().find(|one| choices.contains(one)).unwrap_or(other)),
        ) {
            (Some(first), Some(second)) => {
                Err(format!("modifiers `{}` and `{}` do not go together", name(first), name(second)))
            }
            (found, _) => Ok(found),
        }
    };
    let text = one_of(&[Modifier::Contains, Modifier::StartsWith, Modifier::EndsWith])?;
    let other = one_of(&OPERATORS)?;
    let wide = one_of(&[Modifier::Wide, Modifier::Utf16, Modifier::Utf16be])?;
    let base64 = one_of(&[Modifier::Base64, Modifier::Base64Offset])?;
    let text = text.map_or(Text::Equal, |modifier| match modifier {
        Modifier::Contains => Text::Contains,
        Modifier::StartsWith => Text::StartsWith,
        _ => Text::EndsWith,
    });
    let operator = match other {
        None => match text {
            Text::Equal => Operator::Equal,
            Text::Contains => Operator::Contains,
            Text::StartsWith => Operator::StartsWith,
            Text::EndsWith => Operator::EndsWith,
        },
        Some(Modifier::FieldRef) => Operator::Field(text),
        Some(modifier) if text != Text::Equal => {
            let text = list.iter().find(|one| TEXTS.contains(one)).copied().unwrap_or(modifier);
            return Err(format!("modifiers `{}` and `{}` do not go together", name(text), name(modifier)));
        }
        Some(modifier) => operator(modifier),
    };
    let transforms = [Modifier::Base64, Modifier::Base64Offset, Modifier::WindAsh, Modifier::Expand]
        .into_iter()
        .chain([Modifier::Wide, Modifier::Utf16, Modifier::Utf16be]);
    for transform in transforms.filter(|transform| has(*transform)) {
        if let Some(other) = other {
            return Err(format!("modifiers `{}` and `{}` do not go together", name(transform), name(other)));
        }
    }
    if wide.is_some() && base64.is_none() {
        let wide = name(wide.unwrap_or(Modifier::Wide));
        return Err(format!("modifier `{wide}` needs base64 or base64offset behind it: logs are UTF-8"));
    }
    if has(Modifier::WindAsh) && base64.is_some() {
        return Err(format!(
            "modifiers `windash` and `{}` do not go together",
            name(base64.unwrap_or(Modifier::Base64))
        ));
    }
    let flags: Vec<(Modifier, char)> = FLAGS.into_iter().filter(|(flag, _)| has(*flag)).collect();
    if let (Some((flag, _)), false) = (flags.first(), has(Modifier::Re)) {
        return Err(format!("modifier `{}` is a flag of `re`, which is not there", name(*flag)));
    }
    Ok(Modifiers {
        operator,
        all: has(Modifier::All),
        cased: has(Modifier::Cased),
        neq: has(Modifier::Neq),
        windash: has(Modifier::WindAsh),
        expand: has(Modifier::Expand),
        wide: wide.map(|wide| match wide {
            Modifier::Utf16 => Wide::Marked,
            Modifier::Utf16be => Wide::BigEndian,
            _ => Wide::LittleEndian,
        }),
        base64: base64.map(|one| if one == Modifier::Base64 { Base64::Whole } else { Base64::Offset }),
        flags: flags.into_iter().map(|(_, letter)| letter).collect(),
    })
}

const TEXTS: [Modifier; 3] = [Modifier::Contains, Modifier::StartsWith, Modifier::EndsWith];

const FLAGS: [(Modifier, char); 3] = [(Modifier::IgnoreCase, 'i'), (Modifier::Multiline, 'm'), (Modifier::DotAll, 's')];

const OPERATORS: [Modifier; 14] = [
    Modifier::Re,
    Modifier::Cidr,
    Modifier::Exists,
    Modifier::FieldRef,
    Modifier::Gt,
    Modifier::Gte,
    Modifier::Lt,
    Modifier::Lte,
    Modifier::Minute,
    Modifier::Hour,
    Modifier::Day,
    Modifier::Week,
    Modifier::Month,
    Modifier::Year,
];

/// One of [`OPERATORS`] but `fieldref`.
fn operator(modifier: Modifier) -> Operator {
    match modifier {
        Modifier::Re => Operator::Regex,
        Modifier::Cidr => Operator::Cidr,
        Modifier::Exists => Operator::Exists,
        Modifier::Gt => Operator::Order(">"),
        Modifier::Gte => Operator::Order(">="),
        Modifier::Lt => Operator::Order("<"),
        Modifier::Lte => Operator::Order("<="),
        part => Operator::TimePart(name(part)),
    }
}

/// As Sigma spells it.
fn name(modifier: Modifier) -> &'static str {
    match modifier {
        Modifier::Contains => "contains",
        Modifier::StartsWith => "startswith",
        Modifier::EndsWith => "endswith",
        Modifier::All => "all",
        Modifier::Base64 => "base64",
        Modifier::Base64Offset => "base64offset",
        Modifier::Wide => "wide",
        Modifier::Utf16be => "utf16be",
        Modifier::Utf16 => "utf16",
        Modifier::WindAsh => "windash",
        Modifier::Re => "re",
        Modifier::Cidr => "cidr",
        Modifier::Cased => "cased",
        Modifier::Exists => "exists",
        Modifier::Expand => "expand",
        Modifier::FieldRef => "fieldref",
        Modifier::Gt => "gt",
        Modifier::Gte => "gte",
        Modifier::Lt => "lt",
        Modifier::Lte => "lte",
        Modifier::Neq => "neq",
        Modifier::IgnoreCase => "i",
        Modifier::Multiline => "m",
        Modifier::DotAll => "s",
        Modifier::Minute => "minute",
        Modifier::Hour => "hour",
        Modifier::Day => "day",
        Modifier::Week => "week",
        Modifier::Month => "month",
        Modifier::Year => "year",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(names: &str) -> Result<Modifiers, String> {
        let list: Vec<Modifier> = names.split('|').map(|name| name.parse().unwrap()).collect();
        read(&list)
    }

    #[test]
    fn operators_and_transformations_are_told_apart() {
        let read = of("wide|base64offset|contains|cased").unwrap();
        assert_eq!((read.operator, read.cased), (Operator::Contains, true));
        assert_eq!((read.wide, read.base64), (Some(Wide::LittleEndian), Some(Base64::Offset)));
        assert_eq!(of("fieldref|endswith").unwrap().operator, Operator::Field(Text::EndsWith));
        assert_eq!(of("re|s|i").unwrap().flags, "is");
        assert_eq!(of("lte").unwrap().operator, Operator::Order("<="));
        assert_eq!(of("week").unwrap().operator, Operator::TimePart("week"));
    }

    #[test]
    fn what_does_not_go_together_is_named() {
        assert_eq!(of("contains|endswith").unwrap_err(), "modifiers `contains` and `endswith` do not go together");
        assert_eq!(of("re|contains").unwrap_err(), "modifiers `contains` and `re` do not go together");
        assert_eq!(of("gt|lt").unwrap_err(), "modifiers `gt` and `lt` do not go together");
        assert_eq!(of("cidr|windash").unwrap_err(), "modifiers `windash` and `cidr` do not go together");
        assert_eq!(of("contains|i").unwrap_err(), "modifier `i` is a flag of `re`, which is not there");
        assert_eq!(of("wide").unwrap_err(), "modifier `wide` needs base64 or base64offset behind it: logs are UTF-8");
    }
}
