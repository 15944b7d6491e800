package conformance

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestShrinkKeepsOnlyTheFailingOperations(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 40).Draw(t, "n")
		var operations []Op
		for i := range n { // some of them inside others
			operations = append(operations, sleep(int64(i)))
			if from := rapid.IntRange(0, 3*len(operations)).Draw(t, "from"); from < len(operations) {
				operations = append(slices.Clone(operations[:from]), block(operations[from:]...))
			}
		}
		guilty := rapid.SliceOfNDistinct(rapid.Int64Range(0, int64(n-1)), 1, min(n, 4), rapid.ID).Draw(t, "guilty")
		got := shrink(operations, func(some []Op) bool {
			for _, g := range guilty {
				if !anyOp(some, func(o Op) bool { return o.Name == "sleep" && o.MS == g }) {
					return false
				}
			}
			return true
		})
		var left []int64
		anyOp(got, func(o Op) bool {
			if o.Name == "sleep" {
				left = append(left, o.MS)
			} else if len(o.Do) == 0 {
				t.Fatal("an empty block is left")
			}
			return false
		})
		slices.Sort(guilty)
		if !slices.Equal(left, guilty) {
			t.Fatalf("left %v, want %v", left, guilty)
		}
	})
}

func TestShrinkLeavesOutAllOfAWholeOperationOrNothing(t *testing.T) {
	reset := group(sleep(40), abort("case: aborted")).entirely()
	got := shrink([]Op{group(get("a"), reset), reset}, func(some []Op) bool {
		return anyOp(some, func(o Op) bool { return o.Name == "abort" })
	})
	if len(got) != 1 || show(got[0]) != show(reset) {
		t.Errorf("left %s, want %s", show(got), show([]Op{reset}))
	}
}
