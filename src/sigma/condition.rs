//! A condition as a tree → SQL in which `NOT` stands at single comparisons only, so that rules are gated by its parts.

/// What must hold. A comparison that is null, because its field is missing, does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// SQL of one comparison, binding at least as tightly as `=`; it may be null.
    Is(String),
    /// SQL of two comparisons that are each other's opposite; neither is ever null.
    Either {
        holds: String,
        fails: String,
    },
    All(Vec<Condition>),
    Any(Vec<Condition>),
    Not(Box<Condition>),
    /// At least so many of them.
    Some(u64, Vec<Condition>),
}

impl Condition {
    pub fn all(parts: Vec<Condition>) -> Condition {
        one_or(parts, Condition::All)
    }

    pub fn any(parts: Vec<Condition>) -> Condition {
        one_or(parts, Condition::Any)
    }

    /// SQL of each condition that a WHERE joins by AND.
    pub fn conjuncts(&self) -> Vec<String> {
        let (whole, mut flat) = (self.pushed_down(false), Vec::new());
        whole.flatten(true, &mut flat);
        let mut all: Vec<String> = Vec::new();
        for part in flat {
            let sql = part.sql(Within::All);
            if !all.contains(&sql) {
                all.push(sql);
            }
        }
        all
    }

    /// SQL of the whole, standing alone.
    pub fn alone(&self) -> String {
        self.pushed_down(false).sql(Within::Nothing)
    }

    /// The same with `Not` at comparisons only.
    fn pushed_down(&self, negated: bool) -> Condition {
        let each = |parts: &[Condition]| parts.iter().map(|part| part.pushed_down(negated)).collect();
        match (self, negated) {
            (Condition::Not(inner), _) => inner.pushed_down(!negated),
            (Condition::All(parts), false) | (Condition::Any(parts), true) => Condition::all(each(parts)),
            (Condition::All(parts), true) | (Condition::Any(parts), false) => Condition::any(each(parts)),
            (Condition::Either { holds, fails }, true) => {
                Condition::Either { holds: fails.clone(), fails: holds.clone() }
            }
            (Condition::Some(least, parts), _) => {
                let parts = parts.iter().map(|part| part.pushed_down(false)).collect();
                let some = Condition::Some(*least, parts);
                if negated { Condition::Not(Box::new(some)) } else { some }
            }
            (other, false) => other.clone(),
            (other, true) => Condition::Not(Box::new(other.clone())),
        }
    }

    /// Joins nested lists of the same kind.
    fn flatten<'a>(&'a self, all: bool, into: &mut Vec<&'a Condition>) {
        match (self, all) {
            (Condition::All(parts), true) | (Condition::Any(parts), false) => {
                parts.iter().for_each(|part| part.flatten(all, into));
            }
            (other, _) => into.push(other),
        }
    }

    fn sql(&self, within: Within) -> String {
        let joined = |all: bool, word: &str| {
            let mut flat = Vec::new();
            self.flatten(all, &mut flat);
            let inner = if all { Within::All } else { Within::Any };
            let mut parts: Vec<String> = Vec::new();
            for part in flat {
                let sql = part.sql(inner);
                if !parts.contains(&sql) {
                    parts.push(sql);
                }
            }
            if parts.len() == 1 || within == inner || within == Within::Nothing {
                parts.join(word)
            } else {
                format!("({})", parts.join(word))
            }
        };
        match self {
            Condition::Is(sql) | Condition::Either { holds: sql, .. } => sql.clone(),
            Condition::All(_) => joined(true, " AND "),
            Condition::Any(_) => joined(false, " OR "),
            Condition::Not(inner) => match inner.as_ref() {
                Condition::Some(least, parts) => format!("{} < {least}", count(parts)),
                inner => format!("({}) IS NOT TRUE", inner.sql(Within::Nothing)),
            },
            Condition::Some(least, parts) => format!("{} >= {least}", count(parts)),
        }
    }
}

/// What a piece of SQL stands in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Within {
    Nothing,
    All,
    Any,
}

fn count(parts: &[Condition]) -> String {
    let one = |part: &Condition| format!("CASE WHEN {} THEN 1 ELSE 0 END", part.sql(Within::Nothing));
    parts.iter().map(one).collect::<Vec<_>>().join(" + ")
}

fn one_or(mut parts: Vec<Condition>, many: fn(Vec<Condition>) -> Condition) -> Condition {
    if parts.len() == 1 { parts.remove(0) } else { many(parts) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is(name: &str) -> Condition {
        Condition::Is(format!("{name} = 1"))
    }

    fn not(inner: Condition) -> Condition {
        Condition::Not(Box::new(inner))
    }

    #[test]
    fn a_negated_choice_is_one_condition_for_each() {
        let filter = Condition::any(vec![is("b"), Condition::all(vec![is("c"), not(is("d"))])]);
        let rule = Condition::all(vec![is("a"), not(filter)]);
        assert_eq!(rule.conjuncts(), ["a = 1", "(b = 1) IS NOT TRUE", "((c = 1) IS NOT TRUE OR d = 1)"]);
    }

    #[test]
    fn parentheses_stand_where_they_are_needed() {
        let choice =
            Condition::any(vec![Condition::all(vec![is("a"), is("b")]), Condition::any(vec![is("c"), is("d")])]);
        assert_eq!(choice.conjuncts(), ["((a = 1 AND b = 1) OR c = 1 OR d = 1)"]);
        assert_eq!(not(not(is("a"))).conjuncts(), ["a = 1"]);
        assert_eq!(Condition::all(vec![is("a"), is("a")]).conjuncts(), ["a = 1"]);
    }

    #[test]
    fn some_of_many_are_counted() {
        let two = Condition::Some(2, vec![is("a"), not(is("b")), is("c")]);
        let sum = "CASE WHEN a = 1 THEN 1 ELSE 0 END + CASE WHEN (b = 1) IS NOT TRUE THEN 1 ELSE 0 END \
                   + CASE WHEN c = 1 THEN 1 ELSE 0 END";
        assert_eq!(two.conjuncts(), [format!("{sum} >= 2")]);
        assert_eq!(not(two).conjuncts(), [format!("{sum} < 2")]);
    }

    #[test]
    fn presence_has_its_own_opposite() {
        let present = Condition::Either { holds: "a IS NOT NULL".into(), fails: "a IS NULL".into() };
        assert_eq!(not(present).conjuncts(), ["a IS NULL"]);
    }
}
