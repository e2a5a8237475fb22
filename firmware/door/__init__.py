"""What makes it an intercom: configuration, console, who may call, and the door itself."""
