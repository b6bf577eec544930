//! The codes of references and `for_each`.

use super::codes::{Code, code};

/// Sorted.
pub(super) const REFERENCES: &[Code] = &[
    code(
        "E020",
        "a reference that is not complete",
        "A reference is `${…}` inside of a basic string (`\"…\"` or `\"\"\"…\"\"\"`). Its path is made of words \
         joined by dots, `[0]`, `['any key']` and `[name=app]`. Where the characters `${` are meant as \
         they stand, write `$${`, or use a literal string: `'…'`.",
    ),
    code(
        "E021",
        "not a reference",
        "A reference names something: `var.NAME`, `local.NAME`, `stack.name`, `each.key`, `each.value`, \
         `file('PATH')`, `null`, `TABLE.NAME.FIELD` or `existing.TABLE.NAME.FIELD`. There are no \
         operators and no functions besides `file`; a rule, where one is wanted, is written in CEL in \
         `wait`.",
    ),
    code(
        "E022",
        "a reference to nothing",
        "What the reference names is not declared in this stack. An object that belongs to somebody else \
         is declared as `[existing.TABLE.NAME]`: it is read and waited for, never written.",
    ),
    code(
        "E023",
        "no such field",
        "The value that is referred to has no such field. Of a resource you can name what the stack \
         itself writes (`name`, `namespace`, any path of its manifest), `ref`, and what only the cluster \
         knows: `uid` and `status.…`. A field that the server fills in by itself is not there before \
         apply.",
    ),
    code(
        "E024",
        "an instance of `for_each` that is not named right",
        "A resource with `for_each` has one instance for each key. Name the one that is meant: \
         `helm_release.app['sonarr']`. A resource without `for_each` is named without brackets.",
    ),
    code(
        "E025",
        "local values in a circle",
        "Local values may refer to each other in any order, but not in a circle: none of them would ever \
         have a value.",
    ),
    code(
        "E026",
        "a value of the wrong sort for this place",
        "A string that is exactly one reference takes the value's own type. Inside of a longer text only \
         text, numbers and booleans can stand. Names, namespaces and settings must be known from the \
         files, so nothing that is secret or known only after apply can be part of them.",
    ),
    code(
        "E027",
        "`each` outside of `for_each`",
        "`each.key` and `each.value` are the key and the value of an instance. They have a meaning only \
         in a resource that has `for_each`.",
    ),
    code(
        "E028",
        "`ref` where it has no shape",
        "`ref` becomes the fields by which an object names another: of `name`, `kind`, `namespace`, \
         `apiGroup` and `apiVersion` those that the field it stands in has. In text, in local values and \
         in kinds that arrplan does not know there is no such field; write out what is needed, for \
         example `name = \"${secret.x.name}\"`.",
    ),
    code(
        "E029",
        "`null` where it means nothing",
        "TOML has no null. `\"${null}\"` stands for it in free-form fields, such as the values of a \
         release, where it takes away a chart's default. Everywhere else leave the line out.",
    ),
    code(
        "E030",
        "`for_each` that cannot be expanded",
        "`for_each` is a table, or a list of distinct strings. It decides which resources there are, so \
         it must be known from the files: no resource, no secret, nothing known only after apply.",
    ),
];
