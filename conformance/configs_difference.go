package conformance

// The reasons that several differences share.
const (
	atDeploy  = "wrangler leaves it to the platform, which refuses it; here it is found before"
	wrongKind = "wrangler does not look; the value is of no use in the wrong type, and mostly a slip"
	cloudOnly = "nothing of it runs here, and its rules change with the platform's; wrangler says it before it deploys"
)

// ConfigDifferences are all from wrangler in how a configuration is read that were chosen. A file on which the two
// differ stands in one of them.
var ConfigDifferences = []Difference{
	{"An empty file in TOML", "a worker without a name", "refused, as both do in JSON", "it is rather a file that was not saved than a worker",
		[]string{"empty.toml"}},
	{"An empty name", "kept; a name is made up in `dev`", "the folder's name, with a warning", "stored objects are found by it, so it must be the same tomorrow",
		[]string{"empty_name.jsonc"}},
	{"Bytes that are not UTF-8", "become U+FFFD", "refused", "the value would silently be another one",
		[]string{"latin1.toml"}},
	{"An array in place of an object", "its indexes are taken for keys", "refused", wrongKind,
		[]string{"array_at_top.jsonc", "dev_in_list.jsonc", "environments_of_wrong_type.jsonc", "vars_in_list.jsonc", "service_props_in_list.jsonc"}},
	{"An environment that is no object", "taken for an empty one until it is chosen", "refused", wrongKind,
		[]string{"environment_of_wrong_type.jsonc", "environment_null.jsonc"}},
	{"`null` for a list or an object", "as if the key were not there", "refused", wrongKind,
		[]string{"null_for_lists.jsonc"}},
	{"An empty name of a binding or secret, an empty tag", "accepted", "refused", "nobody could ask for it",
		[]string{"binding_with_empty_name.jsonc", "secrets_empty_name.jsonc", "migration_with_empty_tag.jsonc"}},
	{"Two bindings for mail with one name", "accepted", "refused, as for all other kinds", "the second hides the first",
		[]string{"email_twice.jsonc"}},
	{"`compatibility_date`", "refused for long dashes only", "has to be a date", atDeploy,
		[]string{"date_with_slashes.jsonc", "date_that_is_none.jsonc"}},
	{"Compatibility flags that contradict each other", "accepted", "refused", atDeploy,
		[]string{"contrary_flags.jsonc"}},
	{"Cron expressions", "not read", "refused if they are none", atDeploy,
		[]string{"crons_wrong.jsonc", "crons_of_numbers.jsonc"}},
	{"Migrations that can't be done", "accepted", "refused", atDeploy,
		[]string{"migration_tag_twice.jsonc", "migration_of_class_that_is_there.jsonc", "migration_deletes_what_is_not_there.jsonc", "migration_renames_what_is_not_there.toml"}},
	{"Names of classes", "any text", "names that JavaScript or Go could export", "they become part of a folder's name, which they must not leave",
		[]string{"migration_class_of_odd_name.jsonc"}},
	{"`renamed_to` a class that is not there", "accepted", "refused", atDeploy,
		[]string{"exports_rename_to_stranger.jsonc"}},
	{"`inf` and `nan` in `vars`", "become null", "refused", "JSON has no such number, and null is another value",
		[]string{"infinity.toml"}},
	{"Ports", "any number", "0 to 65535", "there is no other",
		[]string{"ports.jsonc"}},
	{"`dev.host`", "any text", "a host", "there is no other",
		[]string{"host_with_spaces.jsonc"}},
	{"`main` in another language", "accepted", "refused", "handlers are written in Go here",
		[]string{"main_in_typescript.jsonc"}},
	{"`pages_build_output_dir`", "makes it a Pages project", "refused", "only Workers can be run",
		[]string{"pages.jsonc"}},
	{"`dev.container_engine` as an object, `max_concurrency` as null", "refused", "accepted", "wrangler's documentation and schema have them; that its reader refuses them is a fault",
		[]string{"container_engine.jsonc", "queue_concurrency_null.jsonc"}},
	{"`websearch`", "unknown", "known", "some versions of wrangler have it",
		[]string{"websearch.jsonc"}},
	{"An unknown field of `limits` and others that wrangler does not look into", "no word", "a warning", "it has no effect, as any unknown key, and is mostly a slip",
		[]string{"limits_unknown_field.jsonc"}},
	{"What `containers`, `cloudchamber` and `previews` hold", "checked", "anything", cloudOnly,
		[]string{"containers_wrong.jsonc", "previews_wrong.jsonc"}},
}
