//! SHOW and DESCRIBE, as they are asked of Athena → the same of the tables of the archive.

use datafusion::sql::sqlparser::ast::{
    self, DescribeAlias, Expr, Ident, ObjectName, ShowStatementFilter, ShowStatementFilterPosition, ShowStatementIn,
    ShowStatementOptions, Value,
};

use super::tables::archived;
use super::template;

/// The table that DESCRIBE shows by its name here; SHOW COLUMNS is the same.
pub fn described(statement: &mut ast::Statement) {
    if let ast::Statement::ShowColumns {
        show_options:
            ShowStatementOptions {
                show_in: Some(ShowStatementIn { parent_name: Some(name), .. }),
                filter_position: None,
                ..
            },
        ..
    } = statement
    {
        let (describe_alias, table_name) = (DescribeAlias::Describe, name.clone());
        *statement =
            ast::Statement::ExplainTable { describe_alias, hive_format: None, has_table_keyword: false, table_name };
    }
    if let ast::Statement::ExplainTable { table_name: name, .. } = statement
        && let Some((table, _)) = archived(name)
    {
        *name = ObjectName::from(vec![Ident::new(table)]);
    }
}

/// What `SHOW TABLES` asks: for the tables of the archive, and not for those that describe them.
pub fn tables_of(statement: &ast::Statement) -> Option<ast::Statement> {
    let ast::Statement::ShowTables { show_options, .. } = statement else { return None };
    let pattern = match &show_options.filter_position {
        Some(ShowStatementFilterPosition::Infix(filter) | ShowStatementFilterPosition::Suffix(filter)) => {
            match filter {
                // stars are Athena's
                ShowStatementFilter::Like(text) | ShowStatementFilter::NoKeyword(text) => text.replace('*', "%"),
                ShowStatementFilter::ILike(_) | ShowStatementFilter::Where(_) => return None,
            }
        }
        None => "%".to_owned(),
    };
    let pattern = Expr::Value(Value::SingleQuotedString(pattern).with_empty_span());
    let sql = "SELECT CASE table_schema WHEN 'reference' THEN 'reference.' || table_name ELSE table_name END AS table_name \
               FROM information_schema.tables WHERE table_schema IN ('public', 'reference') AND table_name LIKE arg1 ORDER BY 1";
    Some(ast::Statement::Query(template::query(sql, &[&pattern])))
}
