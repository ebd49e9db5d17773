// Package page keeps the parts of README.md that are made of result files in step with them.
package page

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// Part is such a part: it stands between the lines `<!-- NAME of FILE -->` and `<!-- end of NAME -->`.
type Part struct {
	Name string
	// Command rewrites it.
	Command string
	// Make gives the part of the result file at full, which README names path.
	Make func(full, path string) (string, error)
}

// Update makes the part anew of a result file (`same`: of the one that it names), or only compares it (`check`).
func (p Part) Update(root, file string) error {
	page := filepath.Join(root, "README.md")
	text, err := os.ReadFile(page)
	if err != nil {
		return err
	}
	pattern := fmt.Sprintf(`(?s)<!-- %s of (\S+) -->\n.*?<!-- end of %s -->\n`, p.Name, p.Name)
	found := regexp.MustCompile(pattern).FindSubmatchIndex(text)
	if found == nil {
		return fmt.Errorf("README.md has no lines between <!-- %s of FILE --> and <!-- end of %s -->", p.Name, p.Name)
	}
	path := string(text[found[2]:found[3]])
	if file != "check" && file != "same" {
		full, err := filepath.Abs(file)
		if err != nil {
			return err
		}
		if path, err = filepath.Rel(root, full); err != nil || strings.HasPrefix(path, "..") {
			return fmt.Errorf("%s is no file of the project", file)
		}
	}
	part, err := p.Make(filepath.Join(root, path), path)
	if err != nil {
		return err
	}
	if file == "check" {
		if part != string(text[found[0]:found[1]]) {
			return fmt.Errorf("README.md is not in step with %s: %s", path, p.Command)
		}
		return nil
	}
	return os.WriteFile(page, []byte(string(text[:found[0]])+part+string(text[found[1]:])), 0o644)
}
