//! Words of SQL that stand for a longer condition, the same wherever SQL is written: `is_person()` → what tells a person's call,
//! `is_by_hand()` and `is_by_hand_or_script()` → what tells that of a command line, or of a script as well, `is_infrastructure_tool()` → what tells a tool's.

use std::ops::ControlFlow;
use std::sync::LazyLock;

use datafusion::sql::parser::{DFParserBuilder, Statement};
use datafusion::sql::sqlparser::ast::{Expr, Function, FunctionArguments, VisitMut, visit_expressions_mut};

use super::dialect::WeirDialect;

/// It is true or false and never null. Users, root, federated users and those of Identity Center are people, or act for one; so does
/// a role that Identity Center made, a session of the console, one that began with MFA, and one of a workstation or CloudShell,
/// as the user agent says, unless an instance got the credentials from its metadata service; and whoever calls with a tool or a
/// system that is made for attacks. A role that a program assumed has none of these.
// IS TRUE in place of coalesce would do, but DataFusion 55 takes what it gives for nullable once two aggregates share it
macro_rules! person {
    () => {
        "coalesce(userIdentity.type IN ('IAMUser', 'Root', 'FederatedUser', 'IdentityCenterUser') \
     OR userIdentity.sessionContext.sessionIssuer.arn LIKE '%AWSReservedSSO%' \
     OR sessionCredentialFromConsole \
     OR userIdentity.sessionContext.attributes.mfaAuthenticated = 'true' \
     OR userIdentity.sessionContext.ec2RoleDelivery IS NULL \
        AND regexp_like(userAgent, '(?i)macos|darwin|windows|cloudshell') \
     OR regexp_like(userAgent, '(?i)stratus-red-team|\\bpacu|\\bkali([0-9]|\\b)|\\bparrot|\\bpentoo|cloudfox|weirdaal|enumerate-iam|grimoire_|blackarch|peirates|quiet-?riot'), false)"
    };
}

/// A session of a role that does not say that AWS runs it (exec-env).
macro_rules! role_elsewhere {
    () => {
        "userIdentity.type = 'AssumedRole' AND userAgent NOT LIKE '%exec-env/%'"
    };
}

/// AWS's command lines.
macro_rules! command_line {
    () => {
        "regexp_like(userAgent, '^\\[?(aws-cli|AWSPowerShell)')"
    };
}

/// No session of a pipeline or cluster, as far as the name of the role tells, or the token that it began with. The name of a session is
/// chosen by whoever assumes the role, so that it tells nothing, but for the long one that EKS gives to a pod.
macro_rules! no_pipeline {
    () => {
        "userIdentity.sessionContext.webIdFederationData IS NULL \
     AND NOT regexp_like(coalesce(userIdentity.sessionContext.sessionIssuer.arn, ''), '(?i)deploy|pipeline|jenkins|github|gitlab|bitbucket|circleci|codebuild|teamcity|bamboo|buildkite|azure-?devops|octopus|terraform|atlantis|spacelift|ansible|airflow|runner|/eks-|[/_-](ci|cd|cicd|gha|gh|tf|iac)([/_-]|$)') \
     AND NOT regexp_like(coalesce(userIdentity.arn, ''), '/eks-.+-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$')"
    };
}

/// Functions without arguments, over the columns of `cloudtrail`, and what they stand for, which is true or false and never null.
pub const WORDS: [(&str, &str); 4] = [
    ("is_person", person!()),
    ("is_by_hand", BY_HAND),
    ("is_by_hand_or_script", BY_HAND_OR_SCRIPT),
    ("is_infrastructure_tool", INFRASTRUCTURE_TOOL),
];

/// Also true or false and never null: a person, or a role's session at a command line that neither AWS runs nor a pipeline: credentials
/// of a program in somebody's hands.
const BY_HAND: &str = concat!(
    "coalesce(",
    person!(),
    " OR ",
    role_elsewhere!(),
    " AND ",
    command_line!(),
    " AND ",
    no_pipeline!(),
    ", false)"
);

/// Also true or false and never null: a person, or a role's session that AWS does not run at a command line, a pipeline's too, or with
/// Python or a bare HTTP client, if it is no pipeline's. It is for deeds that programs are seldom made for.
const BY_HAND_OR_SCRIPT: &str = concat!(
    "coalesce(",
    person!(),
    " OR ",
    role_elsewhere!(),
    " AND (",
    command_line!(),
    " OR regexp_like(userAgent, '(?i)^\\[?(boto3|botocore|python|curl|wget|postman)') AND ",
    no_pipeline!(),
    "), false)"
);

/// Also true or false and never null: the user agents of what makes and changes infrastructure as it is written down. Anybody can write
/// one, so that a rule does not pass over what such a tool would not do.
const INFRASTRUCTURE_TOOL: &str =
    "regexp_like(coalesce(userAgent, ''), 'Terraform|OpenTofu|Pulumi|aws-cdk|aws-sam-cli')";

/// Puts the expressions in the places of the words.
pub fn expand(statement: &mut Statement) {
    static WHOLE: LazyLock<Replacements> = LazyLock::new(|| replacements(|(_, meaning)| format!("({meaning})")));
    replace(statement, &WHOLE);
}

/// Gives each word an argument, a column that only tables have which have the others that it is about: it is then the call of a function
/// of rows, which whoever plans the statement puts the meaning in the place of.
pub fn call(statement: &mut Statement) {
    static CALLED: LazyLock<Replacements> = LazyLock::new(|| replacements(|(word, _)| format!("{word}(userIdentity)")));
    replace(statement, &CALLED);
}

/// What the words in a query stand for.
pub fn meanings(query: &str) -> impl Iterator<Item = &'static str> {
    let query = query.to_ascii_lowercase();
    WORDS.into_iter().filter(move |(word, _)| query.contains(word)).map(|(_, meaning)| meaning)
}

/// What comes in the place of each word.
type Replacements = [(&'static str, Expr); WORDS.len()];

fn replacements(sql: impl Fn((&'static str, &'static str)) -> String) -> Replacements {
    WORDS.map(|(word, meaning)| {
        let sql = sql((word, meaning));
        let parser = DFParserBuilder::new(sql.as_str()).with_dialect(&WeirDialect).build();
        let expr = parser.and_then(|mut parser| parser.parse_expr()).expect("a test parses it");
        (word, expr.expr)
    })
}

fn replace(statement: &mut Statement, by: &Replacements) {
    match statement {
        Statement::Statement(statement) => replace_in(statement.as_mut(), by),
        Statement::Explain(explain) => replace(&mut explain.statement, by),
        _ => {}
    }
}

fn replace_in(statement: &mut impl VisitMut, by: &Replacements) {
    let _ = visit_expressions_mut(statement, |expr| {
        let whole = match &*expr {
            Expr::Function(call) => by.iter().find(|(word, _)| is_call(call, word)),
            _ => None,
        };
        if let Some((_, whole)) = whole {
            expr.clone_from(whole);
        }
        ControlFlow::<()>::Continue(())
    }); // the closure never breaks
}

fn is_call(call: &Function, word: &str) -> bool {
    let no_arguments =
        matches!(&call.args, FunctionArguments::List(list) if list.args.is_empty() && list.clauses.is_empty());
    no_arguments && call.name.to_string().eq_ignore_ascii_case(word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::dialect::parse;

    fn expanded(sql: &str) -> String {
        let mut statement = parse(sql).unwrap().pop_front().unwrap();
        expand(&mut statement);
        statement.to_string()
    }

    #[test]
    fn a_word_is_expanded_wherever_it_stands_and_nothing_else_is() {
        let whole = expanded("SELECT is_person() FROM cloudtrail");
        assert!(whole.starts_with("SELECT (coalesce(userIdentity.type IN ("), "{whole}");
        let sql = "EXPLAIN SELECT count(*) FILTER (WHERE NOT Is_Person()) FROM cloudtrail HAVING max(CASE WHEN is_person() THEN 1 END) = 1";
        let text = expanded(sql);
        assert_eq!(text.matches(", false))").count(), 2, "{text}");
        let tool = expanded("SELECT is_infrastructure_tool() OR NOT is_person() FROM cloudtrail");
        assert!(tool.starts_with("SELECT (regexp_like(coalesce(userAgent, ''), 'Terraform|"), "{tool}");
        assert!(tool.contains("aws-sam-cli')) OR NOT (coalesce("), "{tool}");
        let hand = expanded("SELECT is_by_hand() AND is_by_hand_or_script() FROM cloudtrail");
        assert!(hand.starts_with("SELECT (coalesce(coalesce(userIdentity.type IN ("), "{hand}");
        assert!(hand.contains("$'), false)) AND (coalesce(coalesce(userIdentity.type IN ("), "{hand}");
        let told: Vec<_> = meanings("SELECT IS_PERSON() OR true").chain(meanings("SELECT person()")).collect();
        assert_eq!(told, [person!()]);
        let other = "SELECT is_person(1), is_person, person(), is_infrastructure_tool FROM cloudtrail";
        assert_eq!(expanded(other), other);
    }
}
