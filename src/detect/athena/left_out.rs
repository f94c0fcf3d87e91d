//! `* EXCLUDE (requestParameters)` and `* EXCEPT (requestParameters)` → the same with names in lower case, as columns have them: DataFusion 55
//! looks for these alone as they are typed.

use datafusion::sql::sqlparser::ast::{
    ExcludeSelectItem, Ident, ObjectName, ObjectNamePart, Select, SelectItem, WildcardAdditionalOptions,
};

pub fn folded(select: &mut Select) {
    for item in &mut select.projection {
        if let SelectItem::Wildcard(options) | SelectItem::QualifiedWildcard(_, options) = item {
            names(options).into_iter().filter(|name| name.quote_style.is_none()).for_each(fold);
        }
    }
}

/// What `*` leaves out.
fn names(options: &mut WildcardAdditionalOptions) -> Vec<&mut Ident> {
    let mut names = Vec::new();
    match &mut options.opt_exclude {
        Some(ExcludeSelectItem::Single(name)) => names.extend(parts(name)),
        Some(ExcludeSelectItem::Multiple(several)) => names.extend(several.iter_mut().flat_map(parts)),
        None => {}
    }
    if let Some(except) = &mut options.opt_except {
        names.push(&mut except.first_element);
        names.extend(&mut except.additional_elements);
    }
    names
}

fn parts(name: &mut ObjectName) -> impl Iterator<Item = &mut Ident> {
    name.0.iter_mut().filter_map(|part| match part {
        ObjectNamePart::Identifier(name) => Some(name),
        ObjectNamePart::Function(_) => None,
    })
}

fn fold(name: &mut Ident) {
    name.value = name.value.to_lowercase();
}
