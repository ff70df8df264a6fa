"""Language models: the protocol (`chat`), Ollama (`ollama`), and the scripted model server (`scripted`)."""
