package edge

import "io/fs"

// Assets serves the files of a tree under /assets/<hash of the tree>/, where
// they never change.
type Assets struct{}

// NewAssets reads the tree.
func NewAssets(tree fs.FS) (*Assets, error) { return &Assets{}, nil }

// URL is the path of a file, for a page to link.
func (a *Assets) URL(name string) string { return "/assets/" + name }

// Route is the one route of the tree.
func (a *Assets) Route() Route { return Route{Pattern: "GET /assets/{tree}/{name...}", Access: Open} }
