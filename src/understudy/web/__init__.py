"""The HTTP service over one running application: endpoints, views, and what guards them."""
