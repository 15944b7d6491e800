package config

// Compatibility flags that change what devtool does.
const (
	flagDeleteAllDeletesAlarm   = "delete_all_deletes_alarm"
	flagDeleteAllPreservesAlarm = "delete_all_preserves_alarm"
)

var knownFlags = []string{flagDeleteAllDeletesAlarm, flagDeleteAllPreservesAlarm}

// checkFlags reports likely typos of the flags that devtool obeys, and pairs that contradict each
// other. Only the platform knows all other flags.
func (d *decoder) checkFlags() {
	p, ok := d.effective(*keyIndex["compatibility_flags"])
	if !ok {
		return
	}
	seen := make(map[string]bool)
	for i, n := range p.node.elems {
		if n.kind != kindString {
			continue
		}
		path := indexPath(p.path, i)
		switch like := nearest(n.text, knownFlags); {
		case seen[n.text]:
			d.warnf("duplicate-flag", n.span, "", "%s repeats %s", path, quote(n.text))
		case n.text == flagDeleteAllDeletesAlarm && seen[flagDeleteAllPreservesAlarm],
			n.text == flagDeleteAllPreservesAlarm && seen[flagDeleteAllDeletesAlarm]:
			d.errorf("contrary-flags", n.span, "keep one of them",
				"%s is %s, but the list also has its opposite", path, quote(n.text))
		case like != "" && like != n.text:
			d.warnf("unknown-flag", n.span, didYouMean(like), "%s is %s, which devtool does not know",
				path, quote(n.text))
		}
		seen[n.text] = true
	}
}
