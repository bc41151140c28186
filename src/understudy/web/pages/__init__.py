"""The pages of the dashboard: each makes one view and renders one template."""
