from tasker_core.step_handler import depends_on, step_handler


@step_handler("hello.count")
@depends_on(greet="greet")
def count(greet):
    greeting = greet["greeting"]
    return {"letters": sum(letter.isalpha() for letter in greeting)}
