package conformance

// Reasons that several differences share.
const (
	atDeploy  = "wrangler leaves the check to the platform, which refuses the file; devtool finds it earlier"
	wrongKind = "wrangler does not check it; a value of the wrong type has no use, and is probably a mistake"
	cloudOnly = "nothing of it runs here, and its rules change with the platform; wrangler checks it before it deploys"
)

// ConfigDifferences lists every deliberate difference from wrangler in reading a configuration.
// Each file on which the two differ belongs to one of them.
var ConfigDifferences = []Difference{
	{
		"An empty file in TOML", "a worker without a name", "refused, as both do in JSON",
		"it is more likely an unsaved file than a worker",
		[]string{"empty.toml"},
	},
	{
		"An empty name", "kept; `dev` makes up a name", "the folder's name, with a warning",
		"objects are stored under the name, so it must not change",
		[]string{"empty_name.jsonc"},
	},
	{
		"Bytes that are not UTF-8", "become U+FFFD", "refused", "otherwise the value would change silently",
		[]string{"latin1.toml"},
	},
	{
		"An array in place of an object", "its indexes count as keys", "refused", wrongKind,
		[]string{
			"array_at_top.jsonc", "dev_in_list.jsonc", "environments_of_wrong_type.jsonc", "vars_in_list.jsonc",
			"service_props_in_list.jsonc",
		},
	},
	{
		"An environment that is not an object", "counts as empty until it is selected", "refused", wrongKind,
		[]string{"environment_of_wrong_type.jsonc", "environment_null.jsonc"},
	},
	{
		"`null` for a list or an object", "counts as absent", "refused", wrongKind,
		[]string{"null_for_lists.jsonc"},
	},
	{
		"An empty name of a binding or secret, an empty tag", "accepted", "refused", "it could not be referred to",
		[]string{"binding_with_empty_name.jsonc", "secrets_empty_name.jsonc", "migration_with_empty_tag.jsonc"},
	},
	{
		"Two bindings for mail with one name", "accepted", "refused, as for all other kinds",
		"the second hides the first",
		[]string{"email_twice.jsonc"},
	},
	{
		"`compatibility_date`", "refused for long dashes only", "must be a date", atDeploy,
		[]string{"date_with_slashes.jsonc", "date_that_is_none.jsonc"},
	},
	{
		"Compatibility flags that contradict each other", "accepted", "refused", atDeploy,
		[]string{"contrary_flags.jsonc"},
	},
	{
		"Cron expressions", "not checked", "refused if they are invalid", atDeploy,
		[]string{"crons_wrong.jsonc", "crons_of_numbers.jsonc"},
	},
	{
		"Migrations that can't be applied", "accepted", "refused", atDeploy,
		[]string{
			"migration_tag_twice.jsonc", "migration_of_class_that_is_there.jsonc",
			"migration_deletes_what_is_not_there.jsonc", "migration_renames_what_is_not_there.toml",
		},
	},
	{
		"Names of classes", "any text", "names that JavaScript or Go could export",
		"they become part of a folder's name, and must not lead out of it",
		[]string{"migration_class_of_odd_name.jsonc"},
	},
	{
		"`renamed_to` a class that does not exist", "accepted", "refused", atDeploy,
		[]string{"exports_rename_to_stranger.jsonc"},
	},
	{
		"`inf` and `nan` in `vars`", "become null", "refused",
		"JSON has no such number, and null is a different value",
		[]string{"infinity.toml"},
	},
	{
		"Ports", "any number", "0 to 65535", "no other port exists",
		[]string{"ports.jsonc"},
	},
	{
		"`dev.host`", "any text", "a host", "any other text can't be one",
		[]string{"host_with_spaces.jsonc"},
	},
	{
		"`main` in another language", "accepted", "refused", "devtool runs handlers written in Go",
		[]string{"main_in_typescript.jsonc"},
	},
	{
		"`pages_build_output_dir`", "makes it a Pages project", "refused", "devtool runs only Workers",
		[]string{"pages.jsonc"},
	},
	{
		"`dev.container_engine` as an object, `max_concurrency` as null", "refused", "accepted",
		"wrangler's documentation and schema allow them; its reader refuses them by mistake",
		[]string{"container_engine.jsonc", "queue_concurrency_null.jsonc"},
	},
	{
		"`websearch`", "unknown", "known", "some versions of wrangler have it",
		[]string{"websearch.jsonc"},
	},
	{
		"An unknown field of `limits` and other keys that wrangler does not check", "ignored", "a warning",
		"like any unknown key it has no effect, and is probably a mistake",
		[]string{"limits_unknown_field.jsonc"},
	},
	{
		"What `containers`, `cloudchamber` and `previews` hold", "checked", "anything", cloudOnly,
		[]string{"containers_wrong.jsonc", "previews_wrong.jsonc"},
	},
}
