//! A condition on columns that people look up, such as `userIdentity.accessKeyId = 'AKIA...'` → the row groups of a file that may have such rows,
//! by their bloom filters. DataFusion 55 asks those of whole columns, and none of a field.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Result, ScalarValue};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::parquet::ParquetAccessPlan;
use datafusion::physical_expr::expressions::{Column, Literal};
use datafusion::physical_expr::utils::{Guarantee, LiteralGuarantee};
use datafusion::physical_expr::{PhysicalExpr, ScalarFunctionExpr};

use super::local::{LocalFile, LocalFiles};

/// Of each column or field, as its path in files, the texts of which rows have one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lookups(Vec<(String, Vec<String>)>);

impl Lookups {
    pub fn of(condition: &Arc<dyn PhysicalExpr>) -> Lookups {
        let named = condition.clone().transform_down(|expr| match path(&expr) {
            Some(path) => Ok(Transformed::yes(Arc::new(Column::new(&path, 0)) as Arc<dyn PhysicalExpr>)),
            None => Ok(Transformed::no(expr)),
        });
        let Ok(named) = named else { return Lookups::default() };
        let all = LiteralGuarantee::analyze(&named.data).into_iter().filter_map(|known| {
            let text = |value: &ScalarValue| value.try_as_str().flatten().map(str::to_owned);
            let texts: Option<Vec<String>> = known.literals.iter().map(text).collect();
            (known.guarantee == Guarantee::In).then_some((known.column.name, texts?))
        });
        Lookups(all.collect())
    }

    /// The file without the row groups that have no such row; `None` where none has.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn narrow(&self, files: &LocalFiles, file: PartitionedFile) -> Result<Option<PartitionedFile>> {
        if self.0.is_empty() {
            return Ok(Some(file));
        }
        let mut read = LocalFile::of(&file)?;
        let metadata = files.metadata(&mut read)?;
        let leaves = metadata.file_metadata().schema_descr().columns();
        let place = |path: &str| leaves.iter().position(|leaf| leaf.path().string() == path);
        let asked: Vec<(usize, &Vec<String>)> =
            self.0.iter().filter_map(|(path, texts)| Some((place(path)?, texts))).collect();
        let groups = metadata.row_groups();
        let mut plan = ParquetAccessPlan::new_all(groups.len());
        for (place, group) in groups.iter().enumerate() {
            for (leaf, texts) in &asked {
                let filter = read.bloom_filter(group.column(*leaf))?;
                if filter.is_some_and(|filter| !texts.iter().any(|text| filter.check(text.as_str()))) {
                    plan.skip(place);
                    break;
                }
            }
        }
        let left = (0..groups.len()).filter(|&group| plan.should_scan(group)).count();
        Ok(match left {
            0 => None,
            left if left == groups.len() => Some(file),
            _ => Some(file.with_extension(plan)),
        })
    }
}

/// `useridentity.accesskeyid` of the field of that column.
fn path(expr: &Arc<dyn PhysicalExpr>) -> Option<String> {
    if let Some(column) = expr.downcast_ref::<Column>() {
        return Some(column.name().to_owned());
    }
    let call = expr.downcast_ref::<ScalarFunctionExpr>().filter(|call| call.fun().name() == "get_field")?;
    let (owner, fields) = call.args().split_first()?;
    fields.iter().try_fold(path(owner)?, |path, field| {
        let field = field.downcast_ref::<Literal>()?.value().try_as_str()??;
        Some(format!("{path}.{field}"))
    })
}

#[cfg(test)]
mod tests {
    use crate::archive::{Archive, Config, fixture};
    use crate::logs::cloudtrail::CLOUDTRAIL;
    use crate::sql::tests::run;

    /// Two days: one file of two row groups, and one of one.
    fn archive() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        let config = Config { row_group_rows: 1, ..Config::default() };
        let mut archive = Archive::open(dir.path(), &config).unwrap();
        let line = |day: u32, id: &str, key: &str, user: &str| {
            format!(
                r#"{{"account":"111122223333","region":"us-east-1","eventtime":"2024-08-0{day}T10:00:00Z","eventname":"GetUser","eventid":"{id}","useridentity":{{"accesskeyid":"{key}","arn":"arn:{user}","username":"{user}"}}}}"#
            )
        };
        let lines = [line(1, "a", "A1", "u"), line(1, "b", "A2", "u"), line(2, "c", "A3", "v")];
        archive.add(vec![fixture::batch(&CLOUDTRAIL, &lines.each_ref().map(String::as_str))]);
        let objects = archive.write(1).unwrap();
        archive.publish(&objects).unwrap();
        dir
    }

    #[tokio::test]
    async fn row_groups_without_what_is_looked_up_are_not_opened() {
        let dir = archive();
        for (condition, groups, ids) in [
            ("userIdentity.accessKeyId = 'A1'", 1, "| a |"),
            ("userIdentity.accessKeyId IN ('A2', 'A3')", 2, "| b |\n| c |"),
            ("userIdentity.accessKeyId = 'A1' OR userIdentity.accessKeyId = 'A3'", 2, "| a |\n| c |"),
            ("userIdentity.accessKeyId = 'none'", 0, ""),
            ("userIdentity.arn = 'arn:u'", 2, "| a |\n| b |"),
            ("userIdentity.arn = 'arn:u' AND userIdentity.accessKeyId = 'A3'", 0, ""),
            ("eventId = 'c'", 1, "| c |"),
            // of these there is no filter, or they are no such condition
            ("userIdentity.userName = 'v'", 3, "| c |"),
            ("lower(userIdentity.accessKeyId) = 'a1'", 3, "| a |"),
            ("userIdentity.accessKeyId <> 'A1'", 3, "| b |\n| c |"),
            ("userIdentity.accessKeyId = 'A1' OR eventName = 'none'", 3, "| a |"),
        ] {
            let sql = format!("SELECT eventId FROM cloudtrail WHERE {condition}");
            let expected = if ids.is_empty() { String::new() } else { format!("| eventid |\n{ids}") };
            assert_eq!(run(dir.path(), &format!("{sql} ORDER BY 1")).await.unwrap(), expected, "{condition}");
            let plan = run(dir.path(), &format!("EXPLAIN ANALYZE {sql}")).await.unwrap();
            // of none nothing is told
            let opened = plan.split("row_groups_pruned_statistics=").nth(1).and_then(|rest| rest.split(' ').next());
            let opened = opened.unwrap_or("0");
            assert_eq!(opened, groups.to_string(), "{condition}: {plan}");
        }
    }
}
