//! Number literals in a script that Rhai reads as another number.
//! What a number is used for is checked where that is declared.

use insta::assert_snapshot;

use super::lines;

#[test]
fn whole_numbers_that_become_floats_are_told() {
    assert_snapshot!(lines(
        "let a = 9223372036854775807 + 9223372036854775808;\n\
         let b = [1e19, 10000000000000000000.0, -18_446_744_073_709_551_615];\n\
         user(\"U\", #{ t: task(|| { sleep(0.1); this.client.get(`/${99999999999999999999}`); }) });"
    ), @r#"
    warning: 1:31: `9223372036854775808` is too large for a whole number: it becomes a float of 17 digits; hint: `parse_json("9223372036854775808")` keeps all digits; a float is written with a point
    warning: 2:40: `-18446744073709551615` is too large for a whole number: it becomes a float of 17 digits; hint: `parse_json("-18446744073709551615")` keeps all digits; a float is written with a point
    warning: 3:59: `99999999999999999999` is too large for a whole number: it becomes a float of 17 digits; hint: `parse_json("99999999999999999999")` keeps all digits; a float is written with a point
    "#);
}
