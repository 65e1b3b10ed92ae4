"""Ready-made components: apps to opt into by INSTALLED_APPS. They use what any project's app may use."""
