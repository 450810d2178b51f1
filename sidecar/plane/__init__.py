"""The control plane in force: the store, the vault and the views of workspaces, as the services see them."""
