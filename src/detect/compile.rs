//! Rules → per table, the conditions they share and the programs that make findings of their matches.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::common::tree_node::TreeNode;
use datafusion::error::Result;
use datafusion::execution::SessionState;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::utils::{disjunction, split_conjunction_owned};
use datafusion::logical_expr::{BinaryExpr, Expr, Operator};
use datafusion::sql::parser::Statement;

use super::asleep::Asleep;
use super::plan::needles::needed;
use super::plan::place;
use super::plan::planner::{Planned, Planner, only_statement};
use super::plan::query::{Query, take_apart};
use super::program::{Leaves, Program, type_of};
use super::reference::References;
use super::route::Router;
use super::verdicts::Verdicts;
use super::window::columns::Columns;
use super::window::plan::{Grouped, Windowed};
use super::window::text::Known;
use crate::rule::{Rule, RuleError};
use crate::table::Table;

/// The rules of one table.
pub struct TableRules {
    pub table: &'static Table,
    pub leaves: Leaves,
    pub conditions: Vec<Condition>,
    pub rules: Vec<CompiledRule>,
    pub router: Router,
    /// Of each of who and where, for rules over windows; none while there is none.
    pub shared: Vec<Program>,
    /// Texts of who and where.
    pub known_texts: Known,
    /// What rules over windows ask of rows.
    pub asked: Columns,
    known: HashMap<Expr, usize>,
    names: Arc<Names>,
}

/// One conjunct, shared by every rule that has it.
pub struct Condition {
    /// Of one expression.
    pub program: Program,
    /// True when it reads one dictionary column only: it then gates.
    pub by_code: bool,
    /// Where it reads one text column only: verdicts on the values seen.
    pub verdicts: Option<Verdicts>,
    /// Conditions are tried in this order: those without text before those on text before those that call functions, then those that
    /// look for letters in JSON, and last those that call functions for each row, since they read it.
    pub cost: u8,
}

/// Cost of a condition that calls functions,
pub const CALLS: u8 = 2;
/// of one that looks for letters in JSON,
const LETTERS: u8 = 3;
/// and of one that reads it.
const READS: u8 = 4;

pub struct CompiledRule {
    pub rule: Arc<Rule>,
    /// Positions in [`TableRules::conditions`], all by code; each is necessary, and together with `rest` they suffice.
    pub gate: Vec<usize>,
    /// Whether one of the gate is the rule's own, and not the table's about AWS services.
    pub gated: bool,
    /// Positions of the other conditions, cheapest first.
    pub rest: Vec<usize>,
    pub then: Then,
}

/// What becomes of the rows that a rule selects.
pub enum Then {
    /// Each is a match.
    Emit(Emit),
    /// They are added up; the names are those of the selected columns.
    Window(Box<Windowed>, Vec<String>),
}

/// What becomes of a match.
pub struct Emit {
    /// Computed for each match: time, resources, id, severity; account, region, actor, source address, session; then
    /// what else the key needs.
    pub every: Program,
    /// Positions of the key's values in `every`, counted from the account.
    pub key: Vec<usize>,
    /// Computed for the match that describes a finding: title, then evidence.
    pub first: Program,
    /// Names of the evidence.
    pub evidence: Vec<String>,
}

/// The table's own expressions.
struct Names {
    actor: Expr,
    session: Expr,
    source_ip: Expr,
    resource: Expr,
    own: Vec<Expr>,
}

impl Names {
    /// Of a table: planned once, since detectors are made again and again, by reloads and by tests.
    fn of(state: &SessionState, table: &'static Table) -> Arc<Names> {
        static KNOWN: LazyLock<Mutex<HashMap<usize, Arc<Names>>>> = LazyLock::new(Mutex::default);
        let place = std::ptr::from_ref(table) as usize;
        let known = || KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(names) = known().get(&place) {
            return names.clone();
        }
        let names = Arc::new(Names::plan(state, table));
        known().insert(place, names.clone());
        names
    }

    fn plan(state: &SessionState, table: &'static Table) -> Names {
        let or = |sql: &'static str, none: &'static str| if sql.is_empty() { none } else { sql };
        let sql = format!(
            "SELECT {} AS a, {} AS p, {} AS s, {} AS r FROM {} WHERE {}",
            or(table.names.actor, "NULL"),
            or(table.names.session, "NULL"),
            or(table.names.source_ip, "NULL"),
            or(table.names.resource, "NULL"),
            table.name,
            or(table.own, "false"),
        );
        let query = take_apart(state, &Leaves::new(table), only_statement(&sql));
        let query = query.unwrap_or_else(|error| panic!("the names of table {table:?} do not plan: {error}"));
        let mut items = query.items.into_iter().map(|(_, expr)| expr);
        let mut next = || items.next().expect("four were selected");
        Names {
            actor: next(),
            session: next(),
            source_ip: next(),
            resource: next(),
            own: if table.own.is_empty() { Vec::new() } else { split_or(query.condition) },
        }
    }
}

/// Plans take much more memory than what is made of them: so many wait at a time.
const PLANNED_MAX: usize = 16;

/// Adds rules to their tables, one after the other; while some are added, the next are planned. Gives those that cannot be used.
pub fn add_all(planner: &Planner, tables: &mut [TableRules], rules: Vec<Rule>) -> Vec<RuleError> {
    let (mut refused, mut rules, mut planned) = (Vec::new(), rules.into_iter(), Vec::new());
    loop {
        let next: Vec<Rule> = rules.by_ref().take(PLANNED_MAX).collect();
        let is_last = next.is_empty();
        let take_in = |(rule, planned): (Arc<Rule>, std::result::Result<Planned, RuleError>)| {
            planned.and_then(|planned| take_in(tables, rule, planned)).err()
        };
        let (failed, next) =
            rayon::join(|| planned.into_iter().filter_map(take_in).collect::<Vec<_>>(), || planner.plan_all(next));
        refused.extend(failed);
        if is_last {
            return refused;
        }
        planned = next;
    }
}

fn take_in(tables: &mut [TableRules], rule: Arc<Rule>, planned: Planned) -> std::result::Result<(), RuleError> {
    let Planned { table, statement, query, key } = planned;
    let rules = &mut tables[table];
    let compiled = rules.compile(rule.clone(), query, key).map_err(|error| {
        let (place, message) = place::planner_error(&error, &rule.text, &statement, |_| true);
        rule.error(place, message)
    })?;
    rules.rules.push(compiled);
    Ok(())
}

/// Compiles rules over the tables it was made with.
pub struct Compiler {
    pub planner: Planner,
    pub tables: Vec<TableRules>,
    /// Rules that wait until a row may match them.
    pub asleep: Vec<Rule>,
}

impl Compiler {
    pub fn new(tables: &[&'static Table], references: &References) -> Compiler {
        let planner = Planner::new(tables, references);
        let tables = tables.iter().map(|table| TableRules::new(&planner.state, table)).collect();
        Compiler { planner, tables, asleep: Vec::new() }
    }

    pub fn add(&mut self, rule: Arc<Rule>) -> std::result::Result<(), RuleError> {
        let statement = only_statement(&rule.text);
        self.add_statement(rule, statement)
    }

    /// The same with another statement in place of the rule's own.
    pub fn add_statement(&mut self, rule: Arc<Rule>, statement: Statement) -> std::result::Result<(), RuleError> {
        let planned = self.planner.plan(&rule, statement)?;
        take_in(&mut self.tables, rule, planned)
    }

    /// Adds many rules. Gives those that cannot be used.
    pub fn add_all(&mut self, rules: Vec<Rule>) -> Vec<RuleError> {
        add_all(&self.planner, &mut self.tables, rules)
    }

    /// Whether a rule that is known to compile may be one of those that wait.
    pub fn can_sleep(&self, rule: &Rule) -> bool {
        rule.needs.is_none() && self.tables.iter().any(|rules| rules.table.name == rule.table)
    }

    /// The rules by tables, and those that wait.
    pub fn finish(self) -> (Vec<TableRules>, Option<Asleep>) {
        let Compiler { planner, mut tables, asleep } = self;
        let all: Vec<&'static Table> = tables.iter().map(|rules| rules.table).collect();
        let asleep = Asleep::new(planner, &all, asleep);
        tables.iter_mut().for_each(|rules| rules.settle(asleep.is_some()));
        (tables, asleep)
    }

    /// Each condition of a rule that compiles, as people wrote it, then the table's own one; each as a program of one
    /// expression over `leaves`.
    pub fn conditions(&self, rule: &Rule) -> Result<(Leaves, Vec<(String, Program)>)> {
        let rules = self.tables.iter().find(|rules| rules.table.name == rule.table).expect("the rule compiles");
        let mut leaves = Leaves::new(rules.table);
        let mut programs = Vec::new();
        let statement = self.planner.statement(rule).expect("the rule compiles");
        for (text, statement) in place::conditions(&statement) {
            let query = take_apart(&self.planner.state, &leaves, statement)?;
            programs.push((text, Program::new(&mut leaves, &[query.condition])?));
        }
        if let Some((text, own)) = self.not_own(rule) {
            programs.push((text, Program::new(&mut leaves, &[own])?));
        }
        Ok((leaves, programs))
    }

    /// The condition that a rule has although its author did not write it: that the row is no call that an AWS service
    /// makes on its own behalf; for people, and as it is asked.
    pub fn not_own(&self, rule: &Rule) -> Option<(String, Expr)> {
        let rules = self.tables.iter().find(|rules| rules.table.name == rule.table)?;
        let own = disjunction(rules.names.own.iter().cloned()).filter(|_| !rule.aws_services)?;
        Some((format!("NOT an AWS service's own call: {}", rules.table.own), Expr::IsNotTrue(Box::new(own))))
    }

    /// What a query over one table selects first, JSON as text, as a program over `leaves`.
    pub fn first_item(&self, leaves: &mut Leaves, statement: Statement) -> Result<Program> {
        let item = take_apart(&self.planner.state, leaves, statement)?.items.swap_remove(0).1;
        let item = as_text(leaves, item)?;
        Program::new(leaves, &[item])
    }
}

impl TableRules {
    fn new(state: &SessionState, table: &'static Table) -> TableRules {
        let names = Names::of(state, table);
        let leaves = Leaves::new(table);
        let router = Router::new(&[], &[]);
        TableRules {
            table,
            leaves,
            conditions: Vec::new(),
            rules: Vec::new(),
            router,
            shared: Vec::new(),
            known_texts: Known::default(),
            asked: Columns::default(),
            known: HashMap::new(),
            names,
        }
    }

    /// Makes ready to judge. More rules may come, or none.
    pub fn settle(&mut self, more_come: bool) {
        self.router = Router::new(&self.rules, &self.conditions);
        if !more_come {
            // what tells which rules ask the same
            self.known = HashMap::new();
            self.asked.settle();
        }
    }

    fn compile(&mut self, rule: Arc<Rule>, query: Query, key: Vec<Expr>) -> Result<CompiledRule> {
        let (mut gate, mut rest) = (Vec::new(), Vec::new());
        for conjunct in split_conjunction_owned(query.condition) {
            if conjunct != Expr::Literal(ScalarValue::Boolean(Some(true)), None) {
                self.require(conjunct, &mut gate, &mut rest)?;
            }
        }
        let gated = !gate.is_empty();
        if !rule.aws_services {
            // `NOT (a OR b)` with null as false is `a IS NOT TRUE AND b IS NOT TRUE`: pieces that can be decided by code
            for own in self.names.own.clone() {
                self.require(Expr::IsNotTrue(Box::new(own)), &mut gate, &mut rest)?;
            }
        }
        rest.sort_by_key(|id| self.conditions[*id].cost);
        let then = match query.grouped {
            None => Then::Emit(self.emit(&query.items, key)?),
            Some(grouped) => {
                let names = query.items.into_iter().map(|(name, _)| name).collect();
                Then::Window(Box::new(self.window(grouped)?), names)
            }
        };
        Ok(CompiledRule { rule, gate, gated, rest, then })
    }

    fn window(&mut self, grouped: Grouped) -> Result<Windowed> {
        let time = Expr::Column(datafusion::common::Column::new_unqualified(self.table.time));
        if self.shared.is_empty() {
            self.shared = self.shared_names()?;
        }
        Windowed::new(&mut self.leaves, &mut self.asked, grouped, &time)
    }

    /// Time, id, account, region, actor, source address, resource and session of a row.
    fn shared_names(&mut self) -> Result<Vec<Program>> {
        let column = |name: &str| Expr::Column(datafusion::common::Column::new_unqualified(name));
        let names = vec![
            column(self.table.time),
            self.table.id.map_or_else(|| Expr::Literal(ScalarValue::Utf8(None), None), column),
            column("account"),
            column("region"),
            self.names.actor.clone(),
            self.names.source_ip.clone(),
            self.names.resource.clone(),
            self.names.session.clone(),
        ];
        names.into_iter().map(|name| self.texts(vec![name])).collect()
    }

    fn require(&mut self, conjunct: Expr, gate: &mut Vec<usize>, rest: &mut Vec<usize>) -> Result<()> {
        let (implied, needed) = (implied(&conjunct, &self.leaves), needed(&conjunct, self.table));
        let id = self.condition(conjunct)?;
        if self.conditions[id].by_code {
            gate.push(id);
            return Ok(());
        }
        if let Some(needed) = needed {
            let needed = self.condition(needed)?;
            self.conditions[needed].cost = LETTERS;
            rest.push(needed);
        }
        rest.push(id);
        for weaker in implied {
            let weaker = self.condition(weaker)?;
            gate.extend(self.conditions[weaker].by_code.then_some(weaker));
        }
        Ok(())
    }

    fn condition(&mut self, expr: Expr) -> Result<usize> {
        if let Some(known) = self.known.get(&expr) {
            return Ok(*known);
        }
        let program = Program::new(&mut self.leaves, std::slice::from_ref(&expr))?;
        let kind = |leaf: &usize| &self.leaves.all[*leaf].data_type;
        let by_code = matches!(program.reads.as_slice(), [leaf] if matches!(kind(leaf), DataType::Dictionary(..)));
        let calls = expr.exists(|expr| Ok(matches!(expr, Expr::ScalarFunction(_))))?;
        let text = program.reads.iter().any(|leaf| matches!(kind(leaf), DataType::Utf8View));
        // free-form JSON is another text in each row
        let repeats = |leaf: &usize| !place::is_json(self.table, &self.leaves.all[*leaf].path);
        let one_text =
            matches!(program.reads.as_slice(), [leaf] if matches!(kind(leaf), DataType::Utf8View) && repeats(leaf));
        let verdicts = one_text.then(Verdicts::default);
        let cost = match (calls, program.coded) {
            (true, false) => READS,
            (true, true) => CALLS,
            (false, _) => u8::from(text),
        };
        self.conditions.push(Condition { program, by_code, verdicts, cost });
        self.known.insert(expr, self.conditions.len() - 1);
        Ok(self.conditions.len() - 1)
    }

    fn emit(&mut self, items: &[(String, Expr)], key: Vec<Expr>) -> Result<Emit> {
        let own = |name: &str| items.iter().find(|(item, _)| item == name).map(|(_, expr)| expr.clone());
        let null = || Expr::Literal(ScalarValue::Utf8(None), None);
        let column = |name: &str| Expr::Column(datafusion::common::Column::new_unqualified(name));
        let actor = own("actor").unwrap_or_else(|| self.names.actor.clone());
        let mut names = vec![
            column("account"),
            column("region"),
            actor.clone(),
            own("source_ip").unwrap_or_else(|| self.names.source_ip.clone()),
            self.names.session.clone(),
        ];
        let mut place = |expr: Expr| {
            names.iter().position(|known| *known == expr).unwrap_or_else(|| {
                names.push(expr);
                names.len() - 1
            })
        };
        let key = if key.is_empty() { vec![column("account"), actor] } else { key };
        let key = key.into_iter().map(&mut place).collect();
        let mut every = vec![
            column(self.table.time),
            own("resource").unwrap_or_else(|| self.names.resource.clone()),
            self.table.id.map_or_else(null, column),
            own("severity").unwrap_or_else(null),
        ];
        every.append(&mut names);
        let mut first = vec![own("title").unwrap_or_else(null)];
        let evidence = items.iter().filter(|(name, _)| !OVERRIDES.contains(&name.as_str()));
        first.extend(evidence.clone().map(|(_, expr)| expr.clone()));
        Ok(Emit {
            every: self.texts(every)?,
            key,
            first: self.texts(first)?,
            evidence: evidence.map(|(name, _)| name.clone()).collect(),
        })
    }

    fn texts(&mut self, exprs: Vec<Expr>) -> Result<Program> {
        let texts = exprs.into_iter().map(|expr| as_text(&mut self.leaves, expr)).collect::<Result<Vec<_>>>()?;
        Program::new(&mut self.leaves, &texts)
    }
}

/// JSON values of `->` are a union in Arrow; people read them as text.
fn as_text(leaves: &mut Leaves, expr: Expr) -> Result<Expr> {
    Ok(match type_of(leaves, &expr)? {
        DataType::Union(..) => {
            let to_text = datafusion_functions_json::udfs::json_union_to_text_udf();
            Expr::ScalarFunction(ScalarFunction::new_udf(to_text, vec![expr]))
        }
        _ => expr,
    })
}

/// Selected names that fill a field of the finding and are not evidence.
pub const OVERRIDES: [&str; 5] = ["title", "severity", "actor", "source_ip", "resource"];

fn split_or(expr: Expr) -> Vec<Expr> {
    match expr {
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Or, right }) => {
            let mut all = split_or(*left);
            all.extend(split_or(*right));
            all
        }
        other => vec![other],
    }
}

/// Conditions on one dictionary column each that hold wherever `conjunct` holds. `(a = 1 AND b = 2) OR (a = 3 AND c = 4)`
/// needs `a = 1 OR a = 3`: such a rule is gated although no conjunct of it reads one column.
fn implied(conjunct: &Expr, leaves: &Leaves) -> Vec<Expr> {
    let arms: Vec<Vec<Expr>> = split_or(conjunct.clone()).into_iter().map(split_conjunction_owned).collect();
    if arms.len() < 2 {
        return Vec::new();
    }
    let only_column = |expr: &Expr| {
        let columns = expr.column_refs();
        let mut columns = columns.iter().map(|column| column.name.clone());
        match (columns.next(), columns.next()) {
            (Some(name), None) if leaves.is_dictionary(&name) => Some(name),
            _ => None,
        }
    };
    let mut columns: Vec<String> = arms[0].iter().filter_map(only_column).collect();
    columns.dedup();
    let weaker = |column: &String| {
        let on_column = |arm: &Vec<Expr>| arm.iter().find(|expr| only_column(expr).as_ref() == Some(column)).cloned();
        disjunction(arms.iter().map(on_column).collect::<Option<Vec<_>>>()?)
    };
    columns.iter().filter_map(weaker).collect()
}
